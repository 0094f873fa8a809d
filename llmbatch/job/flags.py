"""The names of the flags that stand for keys of the job file."""

# Where it is not the last part of the key.
_RENAMED = {
    "input.files": "--input",
    "input.format": "--input-format",
    "engine.name": "--engine",
    "engine.address": "--ray-address",
    "eval.gold": "--eval-gold",
    "eval.on": "--eval-on",
    "eval.first": "--eval-first",
    "eval.min": "--eval-min",
    "signs.look": "--signs",
    "signs.off": "--signs-off",
    "signs.language": "--answer-language",
    "run.reports": "--report",
    "template.kwargs": "--template-arg",
    "adapters": "--adapter-folder",
}


def flag_name(key: str) -> str:
    """The flag for a key such as `run.max_rows`."""
    return _RENAMED.get(key, f"--{key.rpartition('.')[2].replace('_', '-')}")
