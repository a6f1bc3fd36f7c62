"""Samplers that enter the table: this folder is their registry, one file each.

A file defines ``sample(name, seed, budget, **options) -> Sampled``, see
`ordered_mix.references.entrant`.
"""
