import os
import sys

# Every process of the suite would compile its libraries anew, and there are some hundred.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
