# Nothing is needed but Python 3.11 or newer with venv, and make.

PYTHON_IN_VENV = .venv/bin/python

help:
	@echo 'make demo          a tunnel from end to end on this machine, until Ctrl-C'
	@echo 'make demo ONCE=1   the same, but it ends by itself: status 0 if the bytes came back right'
	@echo 'make test          everything below: lint, unit, e2e'
	@echo 'make lint          ruff and mypy'
	@echo 'make unit          the tests that need no process, port or sleep'
	@echo 'make e2e           the tests with real processes and real clients'
	@echo 'make bench         measure, beside others that do the same work; CASES="ping" ROUNDS=3 SCALE=1'
	@echo 'make fuzz          feed the codec and the parsers at random, for some minutes'
	@echo 'make try-units     run the units under a real systemd, in a container (root)'
	@echo 'make venv          only the virtual environment, in .venv'
	@echo 'make clean         take away what make made'

venv:
	@tools/venv.sh run

venv-for-tests:
	@tools/venv.sh test

demo: venv
	@ONCE='$(ONCE)' $(PYTHON_IN_VENV) demo/demo.py

test: venv-for-tests
	@tools/programs.sh
	@$(PYTHON_IN_VENV) tools/run_tests.py lint unit e2e

lint: venv-for-tests
	@$(PYTHON_IN_VENV) tools/run_tests.py lint

unit: venv-for-tests
	@$(PYTHON_IN_VENV) tools/run_tests.py unit

e2e: venv-for-tests
	@tools/programs.sh
	@$(PYTHON_IN_VENV) tools/run_tests.py e2e

bench: venv
	@tools/venv.sh bench
	@$(PYTHON_IN_VENV) -m bench --rounds '$(or $(ROUNDS),3)' --scale '$(or $(SCALE),1)' $(CASES)

# Many times the examples of `make unit`, in the tests that make theirs at random.
fuzz: venv-for-tests
	@HYPOTHESIS_EXAMPLES='$(or $(EXAMPLES),20000)' $(PYTHON_IN_VENV) -m twisted.trial --temp-directory=build/fuzz $(or $(TESTS),tests.core)

# Real systemd, watchdog and hardening; not a test, as few machines let it run.
try-units:
	@tools/try_units.sh

clean:
	rm -rf .venv build dist *.egg-info _trial_temp* .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

.PHONY: help venv venv-for-tests demo test lint unit e2e bench fuzz try-units clean
