"""`python -m brokers.image.yocto`: writes versions and checksums of the image into the layer."""

import sys

from brokers.image.recipe import recipe
from brokers.image.yocto import LAYER, update

if __name__ == "__main__":
    changed = update(recipe("stable"), LAYER)
    sys.stdout.write("".join(f"written: {path}\n" for path in changed) or "the layer is as the image has it\n")
