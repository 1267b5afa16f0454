"""killable_run.py with plans whose rows go into the tables of an application."""

import killable_run
from shop import shop_plan

if __name__ == "__main__":
    killable_run.lean_plan = shop_plan
    killable_run.main()
