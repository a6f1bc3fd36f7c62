"""What is promised, which tests hold the project to it, and what they have found.

Patterns are those of `fnmatch` on ``file::function``; `tools/reliability_report.py` counts.
"""

from typing import NamedTuple


class Promise(NamedTuple):
    """A promise, by its subject, and the tests of it."""

    subject: str
    sentence: str
    tests: tuple[str, ...]


class Found(NamedTuple):
    """A failure that was found and fixed, and the test that would find it again."""

    sentence: str
    test: str


FILES = (
    "test_faults.py", "test_hostile.py", "test_numerics.py", "test_determinism.py",
    "test_engine.py", "test_store.py", "test_results.py", "test_data.py", "test_cold.py",
    "test_starts.py",
)  # fmt: skip

PROMISES = (
    Promise(
        "Faults", "A killed comparison or run loses nothing that was finished, and ends the same.",
        ("test_faults.py::*kill*", "test_faults.py::*share_a_folder", "test_engine.py::*killed*",
         "test_engine.py::*ctrl_c*", "test_store.py::*killed*", "test_store.py::*second_run*"),
    ),
    Promise(
        "Faults", "A file that is truncated or altered is never read as whole.",
        ("test_faults.py::*truncated*", "test_faults.py::*flipped*", "test_faults.py::*damage*",
         "test_store.py::*damaged*", "test_store.py::*set_aside*", "test_engine.py::*damaged*"),
    ),
    Promise(
        "Faults", "A full disk is one sentence, and what was written before is kept.",
        ("test_faults.py::*full_disk*", "test_engine.py::*full_disk*",
         "test_store.py::*does_not_fit*", "test_results.py::*half_written*"),
    ),
    Promise(
        "Faults", "A lost worker costs its cells in flight, a lost scheduler is one sentence.",
        ("test_engine.py::*workers_killed*", "test_engine.py::*scheduler*",
         "test_engine.py::*kill_their_worker*", "test_faults.py::*slow_to_end*"),
    ),
    Promise(
        "Faults", "A sampler or a cell that fails, never ends or takes all memory stops no other.",
        ("test_faults.py::*sampler*", "test_faults.py::*not_finite*", "test_faults.py::*memory*",
         "test_faults.py::*not_a_number*", "test_faults.py::*or_refused_a_start*",
         "test_engine.py::*misbehaving*",
         "test_engine.py::*tried_again*"),
    ),
    Promise(
        "Input", "A column of numbers is read exactly, or refused in one sentence.",
        ("test_hostile.py::*odd_*", "test_hostile.py::*hostile_files*",
         "test_hostile.py::*text_is*",
         "test_hostile.py::*double*", "test_hostile.py::*million_rows*",
         "test_hostile.py::*silent_nan*", "test_data.py::*"),
    ),
    Promise(
        "Input", "A wrong argument is named in one sentence before any work, with status 2.",
        ("test_hostile.py::*arguments*", "test_hostile.py::*no_number*",
         "test_hostile.py::*another_type*", "test_engine.py::*bad_*"),
    ),
    Promise(
        "Input", "No name and no link leads out of the output folder.",
        ("test_hostile.py::*lead*", "test_hostile.py::*link*", "test_hostile.py::*stay_in*",
         "test_hostile.py::*plain_names*", "test_hostile.py::*file_names*",
         "test_hostile.py::*hostile_names*", "test_results.py::*plain_file_names*"),
    ),
    Promise(
        "Input", "Files of draws and cells are bounded in memory, and never unpickled.",
        ("test_hostile.py::*unpack*", "test_hostile.py::*pickles*", "test_hostile.py::*no_draws*",
         "test_hostile.py::*no_sense*", "test_hostile.py::*hostile_cells*",
         "test_hostile.py::*hostile_json*"),
    ),
    Promise(
        "Input", "No script runs in a report, no formula in a table, and no secret is stored.",
        ("test_hostile.py::*script*", "test_hostile.py::*formulas*", "test_hostile.py::*secrets*",
         "test_engine.py::*provenance*"),
    ),
    Promise(
        "Numerics", "Offsets of 1e9 and units from 1e-9 to 1e9 change no result by 1e-6.",
        ("test_numerics.py::*offset*", "test_numerics.py::*unit*",),
    ),
    Promise(
        "Numerics", "Ties, outliers, 1 to 20 components and 2 K to 1e7 points are no trouble.",
        ("test_numerics.py::*ties*", "test_numerics.py::*tied*", "test_numerics.py::*outliers*",
         "test_numerics.py::*components*", "test_numerics.py::*points*",
         "test_numerics.py::*closed_form*"),
    ),
    Promise(
        "Determinism", "The same seed gives the same bytes with any workers, processes, threads.",
        ("test_determinism.py::*bytes*", "test_store.py::*bytes*"),
    ),
    Promise(
        "Determinism", "A first run, which compiles, draws the same bytes as later ones.",
        ("test_cold.py::*cold_and_warm*",),
    ),
    Promise(
        "Determinism", "A start on a stationary coordinate is moved by next to nothing.",
        ("test_starts.py::*",),
    ),
    Promise(
        "Determinism", "Without sampling, the same numbers to 1e-6 on another machine.",
        ("test_determinism.py::*machines*", "test_determinism.py::*processor*"),
    ),
)  # fmt: skip

FOUND = (
    Found("A full disk crashed HDF5, and the program with it, while draws were being written.",
          "test_faults.py::test_a_full_disk_ends_a_comparison_in_a_sentence"),
    Found("A comparison took up draws files whose bytes had changed.",
          "test_faults.py::test_a_draws_file_with_a_flipped_bit_is_not_taken_for_whole"),
    Found("A damaged summary counted as a finished comparison and ended in a JSON error.",
          "test_faults.py::test_a_damaged_summary_is_no_finished_comparison"),
    Found("Half-written files of a killed comparison stayed in its folder for ever.",
          "test_faults.py::test_what_a_killed_comparison_was_writing_is_removed"),
    Found("Two comparisons could write to one folder at the same time.",
          "test_faults.py::test_two_comparisons_do_not_share_a_folder"),
    Found("A sampler that never ended held up the whole comparison.",
          "test_faults.py::test_a_sampler_that_does_not_end_is_given_up"),
    Found("One sampler that failed ended the comparison of all others.",
          "test_faults.py::test_a_comparison_goes_on_without_a_sampler_that_failed"),
    Found("The log likelihood of two components was wrong without a word in units beyond 1e77.",
          "test_numerics.py::test_the_pass_keeps_its_digits_in_any_unit"),
    Found("WAIC and LOO were NaN without a word for data in units beyond 1e150.",
          "test_numerics.py::test_units_beyond_reach_are_refused"),
    Found("A netCDF or zarr file of a few kilobytes could ask for terabytes of memory.",
          "test_hostile.py::test_draws_that_unpack_to_too_much_are_refused_unread"),
    Found("A compressed cell could unpack to any size before it was checked.",
          "test_hostile.py::test_hostile_cells_are_set_aside"),
    Found("Temporary files had names that could be guessed, and were written through links.",
          "test_hostile.py::test_links_in_the_folder_of_a_comparison_are_replaced"),
    Found("A link in place of a study's lock file had its target emptied.",
          "test_hostile.py::test_a_link_in_place_of_the_lock_is_refused"),
    Found("Cells were written through a link in place of their folder.",
          "test_hostile.py::test_a_link_in_place_of_a_folder_is_refused"),
    Found("The name of a study's figure could lead out of the output folder.",
          "test_hostile.py::test_figures_of_a_study_stay_in_its_folder"),
    Found("Two model files of one name shared their draws, and draws outlived a changed model.",
          "test_hostile.py::test_bad_arguments_are_named"),
    Found("Column names could break a message into lines or send escapes to the terminal.",
          "test_hostile.py::test_hostile_files_are_refused"),
    Found("A run on a busy machine ended in a traceback because its workers were slow to end.",
          "test_faults.py::test_workers_that_are_slow_to_end_are_no_error"),
    Found("Chains that never moved ended the diagnosis of a comparison in a warning.",
          "test_faults.py::test_a_sampler_that_diverges_everywhere_is_not_trusted"),
    Found("A process in which nutpie had refused a start crashed when it ended.",
          "test_faults.py::test_a_process_that_moved_or_refused_a_start_ends_well"),
    Found("Gradient ascent with a line search stalled in other units, and said it had converged.",
          "test_numerics.py::test_offset_and_unit_of_the_data_do_not_matter"),
    Found("Seeds, draws and cores out of range ended in a traceback.",
          "test_hostile.py::test_bad_arguments_are_named"),
)  # fmt: skip
