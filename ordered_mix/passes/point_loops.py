"""Inner loops of the pass over points in several dimensions: up to four rows at a time.

A loop over points that whitens four coordinates, or adds up all products of four, reads and writes
memory once where a loop for each row or product does so every time; that is what these loops cost.
"""

# numba's own types do not know what an intrinsic takes.
# mypy: disable-error-code="call-arg,unreachable"

import numba

from ordered_mix.passes.fused import _exact, _fused, _summing, _widest


@numba.njit(**_exact)
def whitened(y, start, mu, root, z, square):
    """Whiten as many points as square is long, from start on.

    Fills the first columns of z (D, block) with ``root^-1 (y - mu)``, y (D, n), and square with its
    squared lengths. Rows are cut in here, where the compiler knows them to be contiguous.
    """
    d, size = mu.size, square.size
    if d == 1:
        _one_row(y[0, start : start + size], mu[0], 1.0 / root[0, 0], z[0], square)
    elif d == 2:
        _two_rows(y, start, mu, root, z, square)
    elif d == 3:
        _three_rows(y, start, mu, root, z, square)
    else:
        _four_rows(y, start, mu, root, z, square)
    for row in range(4, d):
        out = z[row, :size]
        _less_four(y[row, start : start + size], mu[row], root[row], z, out)
        _subtracted(z, 4, row, root[row], out)
        _scaled(out, 1.0 / root[row, row], square)


@numba.njit(**_exact)
def moments_of(r, z, scratch, z1, z2):
    """Add the moments of the first points of z (D, block), with weights r, to z1 and lower z2."""
    d = z.shape[0]
    if d == 1:
        _one_square(r, z[0], z1, z2)
    elif d == 2:
        _two_squares(r, z, z1, z2)
    elif d == 3:
        _three_squares(r, z, z1, z2)
    else:
        _four_squares(r, z, z1, z2)
    for row in range(4, d):
        times(r, z[row, : r.size], scratch)
        z1[row] += total(scratch)
        _products(scratch, z, row + 1, z2[row])


@numba.njit(**_fused)
def _one_row(y, mu, i0, z, square):
    _widest()
    for i in range(square.size):
        a = (y[i] - mu) * i0
        z[i] = a
        square[i] = a * a


@numba.njit(**_fused)
def _two_rows(y, start, mu, root, z, square):
    _widest()
    end = start + square.size
    y0, y1, z0, z1 = y[0, start:end], y[1, start:end], z[0], z[1]
    m0, m1, i0, i1, r10 = mu[0], mu[1], 1.0 / root[0, 0], 1.0 / root[1, 1], root[1, 0]
    for i in range(square.size):
        a = (y0[i] - m0) * i0
        b = (y1[i] - m1 - r10 * a) * i1
        z0[i] = a
        z1[i] = b
        square[i] = a * a + b * b


@numba.njit(**_fused)
def _three_rows(y, start, mu, root, z, square):
    _widest()
    end = start + square.size
    y0, y1, y2 = y[0, start:end], y[1, start:end], y[2, start:end]
    z0, z1, z2 = z[0], z[1], z[2]
    m0, m1, m2, i0, i1, i2 = (
        mu[0], mu[1], mu[2], 1.0 / root[0, 0], 1.0 / root[1, 1], 1.0 / root[2, 2],
    )  # fmt: skip
    r10, r20, r21 = root[1, 0], root[2, 0], root[2, 1]
    for i in range(square.size):
        a = (y0[i] - m0) * i0
        b = (y1[i] - m1 - r10 * a) * i1
        c = (y2[i] - m2 - r20 * a - r21 * b) * i2
        z0[i] = a
        z1[i] = b
        z2[i] = c
        square[i] = a * a + b * b + c * c


@numba.njit(**_fused)
def _four_rows(y, start, mu, root, z, square):
    _widest()
    end = start + square.size
    y0, y1 = y[0, start:end], y[1, start:end]
    y2, y3 = y[2, start:end], y[3, start:end]
    z0, z1, z2, z3 = z[0], z[1], z[2], z[3]
    m0, m1, m2, m3 = mu[0], mu[1], mu[2], mu[3]
    i0, i1, i2, i3 = 1.0 / root[0, 0], 1.0 / root[1, 1], 1.0 / root[2, 2], 1.0 / root[3, 3]
    r10, r20, r21, r30, r31, r32 = (
        root[1, 0], root[2, 0], root[2, 1], root[3, 0], root[3, 1], root[3, 2],
    )  # fmt: skip
    for i in range(square.size):
        a = (y0[i] - m0) * i0
        b = (y1[i] - m1 - r10 * a) * i1
        c = (y2[i] - m2 - r20 * a - r21 * b) * i2
        e = (y3[i] - m3 - r30 * a - r31 * b - r32 * c) * i3
        z0[i] = a
        z1[i] = b
        z2[i] = c
        z3[i] = e
        square[i] = a * a + b * b + c * c + e * e


@numba.njit(**_fused)
def _less_four(y, mu, root, z, out):
    """Write y less mu and less the first four products of a row."""
    _widest()
    a0, a1, a2, a3 = root[0], root[1], root[2], root[3]
    z0, z1, z2, z3 = z[0], z[1], z[2], z[3]
    for i in range(out.size):
        out[i] = y[i] - mu - (a0 * z0[i] + a1 * z1[i] + a2 * z2[i] + a3 * z3[i])


@numba.njit(**_fused)
def _subtracted(z, first, last, root, out):
    """Subtract root[c] z[c] for c from first to last from out, four of them at a time."""
    _widest()
    c = first
    while c + 4 <= last:
        a0, a1, a2, a3 = root[c], root[c + 1], root[c + 2], root[c + 3]
        z0, z1, z2, z3 = z[c], z[c + 1], z[c + 2], z[c + 3]
        for i in range(out.size):
            out[i] -= a0 * z0[i] + a1 * z1[i] + a2 * z2[i] + a3 * z3[i]
        c += 4
    if c + 2 <= last:
        a0, a1 = root[c], root[c + 1]
        z0, z1 = z[c], z[c + 1]
        for i in range(out.size):
            out[i] -= a0 * z0[i] + a1 * z1[i]
        c += 2
    if c < last:
        a0, z0 = root[c], z[c]
        for i in range(out.size):
            out[i] -= a0 * z0[i]


@numba.njit(**_fused)
def _scaled(z, inverse, square):
    """Multiply z and add its squares to square."""
    _widest()
    for i in range(z.size):
        z[i] *= inverse
        square[i] += z[i] * z[i]


@numba.njit(**_summing)
def _one_square(r, z, z1, z2):
    _widest()
    sa = saa = 0.0
    for i in range(r.size):
        ra = r[i] * z[i]
        sa += ra
        saa += ra * z[i]
    z1[0] += sa
    z2[0, 0] += saa


@numba.njit(**_summing)
def _two_squares(r, z, z1, z2):
    _widest()
    za, zb = z[0], z[1]
    sa = sb = saa = sba = sbb = 0.0
    for i in range(r.size):
        ra, rb = r[i] * za[i], r[i] * zb[i]
        sa += ra
        sb += rb
        saa += ra * za[i]
        sba += rb * za[i]
        sbb += rb * zb[i]
    z1[0] += sa
    z1[1] += sb
    z2[0, 0] += saa
    z2[1, 0] += sba
    z2[1, 1] += sbb


@numba.njit(**_summing)
def _three_squares(r, z, z1, z2):
    _widest()
    za, zb, zc = z[0], z[1], z[2]
    sa = sb = sc = saa = sba = sbb = sca = scb = scc = 0.0
    for i in range(r.size):
        ra, rb, rc = r[i] * za[i], r[i] * zb[i], r[i] * zc[i]
        sa += ra
        sb += rb
        sc += rc
        saa += ra * za[i]
        sba += rb * za[i]
        sbb += rb * zb[i]
        sca += rc * za[i]
        scb += rc * zb[i]
        scc += rc * zc[i]
    z1[0] += sa
    z1[1] += sb
    z1[2] += sc
    z2[0, 0] += saa
    z2[1, 0] += sba
    z2[1, 1] += sbb
    z2[2, 0] += sca
    z2[2, 1] += scb
    z2[2, 2] += scc


@numba.njit(**_summing)
def _four_squares(r, z, z1, z2):
    _widest()
    za, zb, zc, ze = z[0], z[1], z[2], z[3]
    sa = sb = sc = se = saa = sba = sbb = sca = scb = scc = sea = seb = sec = see = 0.0
    for i in range(r.size):
        ra, rb, rc, re = r[i] * za[i], r[i] * zb[i], r[i] * zc[i], r[i] * ze[i]
        sa += ra
        sb += rb
        sc += rc
        se += re
        saa += ra * za[i]
        sba += rb * za[i]
        sbb += rb * zb[i]
        sca += rc * za[i]
        scb += rc * zb[i]
        scc += rc * zc[i]
        sea += re * za[i]
        seb += re * zb[i]
        sec += re * zc[i]
        see += re * ze[i]
    z1[0] += sa
    z1[1] += sb
    z1[2] += sc
    z1[3] += se
    z2[0, 0] += saa
    z2[1, 0] += sba
    z2[1, 1] += sbb
    z2[2, 0] += sca
    z2[2, 1] += scb
    z2[2, 2] += scc
    z2[3, 0] += sea
    z2[3, 1] += seb
    z2[3, 2] += sec
    z2[3, 3] += see


@numba.njit(**_fused)
def times(r, z, out):
    """Write r z to out, which may be one of them."""
    _widest()
    for i in range(z.size):
        out[i] = r[i] * z[i]


@numba.njit(**_summing)
def total(values):
    """Their sum.

    In a loop of its own: where a loop writes, too, the order of the sum depends on what the
    compiler knows of the arrays, which differs between code that is compiled and that is loaded.
    """
    _widest()
    found = 0.0
    for i in range(values.size):
        found += values[i]
    return found


@numba.njit(**_summing)
def _products(rz, z, last, out):
    """Add the sums of rz z[c] for c below last to out, four of them at a time."""
    _widest()
    c = 0
    while c + 4 <= last:
        z0, z1, z2, z3 = z[c], z[c + 1], z[c + 2], z[c + 3]
        a0 = a1 = a2 = a3 = 0.0
        for i in range(rz.size):
            a0 += rz[i] * z0[i]
            a1 += rz[i] * z1[i]
            a2 += rz[i] * z2[i]
            a3 += rz[i] * z3[i]
        out[c] += a0
        out[c + 1] += a1
        out[c + 2] += a2
        out[c + 3] += a3
        c += 4
    if c + 2 <= last:
        z0, z1 = z[c], z[c + 1]
        a0 = a1 = 0.0
        for i in range(rz.size):
            a0 += rz[i] * z0[i]
            a1 += rz[i] * z1[i]
        out[c] += a0
        out[c + 1] += a1
        c += 2
    if c < last:
        z0 = z[c]
        a0 = 0.0
        for i in range(rz.size):
            a0 += rz[i] * z0[i]
        out[c] += a0
