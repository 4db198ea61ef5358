# make                  build/mecha
# make demo             install what is missing, build, write two small models, merge them, show what came out
# make check            the whole test suite; CK_RUN_SUITE=lexer runs one suite of it
# make check-long       what takes longer than make check may
# make fuzz SECONDS=600 libFuzzer on each target of tests/fuzz/ (needs clang), from the texts in its corpus
# make check-faults     faults during a run, each made for real: full disks, failing calls, signals, limits
# make check-asan       the unit and recipe tests under AddressSanitizer and UndefinedBehaviorSanitizer
# make check-tsan       the tests of the evaluator under ThreadSanitizer
# make check-avx512     the AVX-512 kernels against the plain ones, on a CPU that Bochs emulates
# make check-mutations  breaks lines one at a time, and looks whether the suite notices
# make coverage         runs the suite and tells which share of the lines it reached
# make lint             clang-tidy and cppcheck (tools/deps.sh --long installs them) over the sources
# make tour             write docs/tour.md by running what stands in it (check looks whether that is needed)
# make layers           lists includes that point up the layers (none; part of check)
# make index            write docs/stdlib.md from the definitions (check looks whether that is needed)
# make bench            mecha's time as a ratio to the floor, on full-size models in /dev/shm
# make bench-methods    the same for every merge method
# make bench-scaling    the same of ever more bytes, models, ranks and threads
# make bench-large      the time that large recipes take to check
# make deps             install the Debian packages that building and testing need
# make install PREFIX=  one binary, a man page, and what shells complete it with
# make format           clang-format over the sources
# make clean
#
# BUILD= another build directory, SANITIZE= flags for it, V=1 shows the commands.

BUILD    ?= build
PREFIX   ?= /usr/local
ifeq ($(origin CC),default)
CC        = gcc
endif
SANITIZE ?=
CFLAGS   ?= -O2 -g

# What the project itself needs, apart from the variables above, which the command line may replace.
FLAGS     := -std=c11 -D_GNU_SOURCE -Isrc -I$(BUILD)/gen -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
             -Wno-missing-field-initializers -pthread -fno-math-errno -ffp-contract=off $(SANITIZE)
LIBRARIES := -lxxhash -ljansson -ledit -lkissfft-float -lm
COMPILE    = $(call quiet,CC $<)$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS) -MMD -MP -c -o $@ $<
LINK       = $(call quiet,LD $@)$(CC) $(LDFLAGS) -pthread $(SANITIZE) -o $@ $^ $(LIBRARIES) $(LDLIBS)

# V=1 shows the commands.
quiet      = $(if $(V),,@echo "  $(1)";)

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:

SOURCES   := $(filter-out src/cli/%, $(wildcard src/*.c src/*/*.c))
CLI       := $(wildcard src/cli/*.c)
TESTS     := $(wildcard tests/*.c) tests/fuzz/syntax.c tests/fuzz/files.c
TOOLS     := $(wildcard tools/*.c)
STDLIB    := $(sort $(wildcard stdlib/*/*.mecha))
RE        := $(wildcard grammar/*.re src/*/*.re)
LEMON     := $(wildcard grammar/*.y)

GENERATED := $(patsubst %.re,$(BUILD)/gen/%.c,$(RE)) $(patsubst %.y,$(BUILD)/gen/%.c,$(LEMON)) \
             $(BUILD)/gen/stdlib.c
objects    = $(patsubst %.c,$(BUILD)/obj/%.o,$(patsubst $(BUILD)/gen/%,gen/%,$(1)))

LIB_OBJECTS  := $(call objects,$(SOURCES) $(GENERATED))
CLI_OBJECTS  := $(call objects,$(CLI) $(BUILD)/gen/chapters.c)
TEST_OBJECTS := $(call objects,$(TESTS))
TOOL_NAMES   := $(patsubst tools/%.c,$(BUILD)/%,$(TOOLS))

all: $(BUILD)/mecha $(TOOL_NAMES)

$(BUILD)/mecha: $(CLI_OBJECTS) $(LIB_OBJECTS)
	$(LINK)

# The tests look into the program, too, and have a main of their own.
$(BUILD)/tests: $(TEST_OBJECTS) $(filter-out %/cli/main.o,$(CLI_OBJECTS)) $(LIB_OBJECTS)
	$(LINK) $$(pkg-config --libs check)

# Runs the same cases as the suite of that name.
$(BUILD)/golden: $(BUILD)/obj/tests/golden.o $(BUILD)/obj/tests/run.o

$(TOOL_NAMES): $(BUILD)/%: $(BUILD)/obj/tools/%.o $(LIB_OBJECTS)
	$(LINK)

# Kernels are the only files with flags of their own: the same loops for several instruction sets.
# (The parameter leaves the last few elements to scalar code: it takes a third off the time to compile.)
KERNEL_FLAGS := -O3 -fno-trapping-math --param vect-epilogues-nomask=0
HASH_FLAGS   := -O3 -fschedule-insns -fsched-pressure
AVX2         := -mavx2 -mfma -mf16c
AVX512       := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mf16c -mprefer-vector-width=512
$(BUILD)/obj/src/kernel/base.o:        FLAGS += $(KERNEL_FLAGS)
$(BUILD)/obj/src/kernel/avx2.o:        FLAGS += $(KERNEL_FLAGS) $(AVX2)
$(BUILD)/obj/src/kernel/avx512.o:      FLAGS += $(KERNEL_FLAGS) $(AVX512)
$(BUILD)/obj/src/kernel/hash_base.o:   FLAGS += $(HASH_FLAGS)
$(BUILD)/obj/src/kernel/hash_avx2.o:   FLAGS += $(HASH_FLAGS) $(AVX2)
$(BUILD)/obj/src/kernel/hash_avx512.o: FLAGS += $(HASH_FLAGS) $(AVX512)

# Nor is what generators write held to warnings about style.
$(BUILD)/obj/gen/%.o: FLAGS += -Wno-unused-parameter -Wno-unused-variable -Wno-sign-compare -Wno-shadow -Wno-type-limits

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c
	@mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE)

$(BUILD)/gen/%.c: %.re
	@mkdir -p $(@D)
	$(call quiet,RE2C $<)re2c -W -Werror --no-debug-info --conditions -i -o $@ $<

# Lemon writes the file in spite of conflicts, and says so with its exit status.
$(BUILD)/gen/%.c: %.y
	@mkdir -p $(@D)
	$(call quiet,LEMON $<)lemon -q -l -d$(@D) $<

$(BUILD)/gen/stdlib.c: tools/embed.awk $(STDLIB)
	@mkdir -p $(@D)
	$(call quiet,EMBED stdlib)awk -f tools/embed.awk $(STDLIB) /dev/null > $@

$(BUILD)/gen/chapters.c: tools/chapters.awk docs/language.md
	@mkdir -p $(@D)
	$(call quiet,EMBED chapters)awk -f tools/chapters.awk docs/language.md > $@

# Every object may include a header that Lemon writes.
$(LIB_OBJECTS) $(TEST_OBJECTS): | $(GENERATED)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

check: all $(BUILD)/tests layers index-current tour-current
	MECHA=$(BUILD)/mecha BUILD=$(BUILD) $(BUILD)/tests

# The unit and recipe tests; everything else runs under sanitizers in check-long.
ASAN        := BUILD=build/asan SANITIZE="-fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all" CFLAGS="-O1 -g"
ASAN_SUITES := base diag lexer parse format reader writer badfiles fuzz program fuse recipes whole configs settings

# Everything is slower there, and Check's time limits with it.
check-asan check-long: export LSAN_OPTIONS ?= suppressions=$(CURDIR)/tests/lsan.txt:print_suppressions=0
check-asan: export CK_TIMEOUT_MULTIPLIER ?= 10
check-asan:
	$(MAKE) $(ASAN) suites SUITES="$(ASAN_SUITES)"

# Compiled by itself: it replaces functions of the C library.
$(BUILD)/shim.so: tests/faults/shim.c
	$(call quiet,SHIM $@)$(CC) -O1 -g -Wall -Wextra -Werror -fPIC -shared -o $@ $<

check-faults: all $(BUILD)/shim.so
	bash tests/faults/check.sh $(BUILD)

# The evaluator with its threads.
check-tsan:
	$(MAKE) BUILD=build/tsan SANITIZE=-fsanitize=thread CFLAGS="-O1 -g" suites SUITES="exec outbox random_programs"

check-avx512: all $(BUILD)/tests
	@sh tools/deps.sh --emulator
	sh tests/avx512/check.sh $(BUILD)

check-long:
	@sh tools/deps.sh --long
	$(MAKE) $(ASAN) CK_TIMEOUT_MULTIPLIER=10 check
	$(MAKE) check-tsan
	$(MAKE) check-faults FAULTS_EVERY=1
	$(MAKE) check-mutations
	$(MAKE) check-avx512
	$(MAKE) lint coverage

check-mutations:
	sh tests/mutations/check.sh $(BUILD)

suites: all $(BUILD)/tests
	@for suite in $(SUITES); do \
	    CK_RUN_SUITE=$$suite MECHA=$(BUILD)/mecha BUILD=$(BUILD) $(BUILD)/tests || exit 1; done

# Linking puts together what was counted; a run before must not count.
coverage:
	$(MAKE) BUILD=build/coverage SANITIZE=--coverage CFLAGS="-O1 -g" all build/coverage/tests
	find build/coverage -name '*.gcda' -delete
	MECHA=build/coverage/mecha BUILD=build/coverage CK_TIMEOUT_MULTIPLIER=4 build/coverage/tests
	@sh tools/coverage.sh build/coverage

LINTED := $(filter-out src/kernel/avx% src/kernel/hash_avx%,$(SOURCES) $(CLI))

lint: all
	printf '%s\n' $(LINTED) | xargs -P $$(nproc) -n 4 sh -c \
	    'clang-tidy --quiet "$$@" -- $(filter-out -Werror -Wextra -Wall,$(FLAGS)) -w 2> /dev/null' -
	cppcheck --quiet --error-exitcode=1 --inline-suppr --suppressions-list=tests/cppcheck.txt \
	    --enable=warning,portability -j $$(nproc) -Isrc -I$(BUILD)/gen -D__x86_64__ $(LINTED)

index: $(BUILD)/index
	$< > docs/stdlib.md

index-current: $(BUILD)/index
	@$< | cmp -s - docs/stdlib.md || { echo "docs/stdlib.md is out of date: make index" >&2; exit 1; }

tour: all
	sh tools/tour.sh $(BUILD) > $(BUILD)/tour.md && cp $(BUILD)/tour.md docs/tour.md

# A suite by itself does without.
tour-current: all
	@test -n "$$CK_RUN_SUITE" || { sh tools/tour.sh $(BUILD) > $(BUILD)/tour.md && diff $(BUILD)/tour.md docs/tour.md; } || \
	    { echo "docs/tour.md is out of date: make tour" >&2; exit 1; }

layers:
	@awk -f tools/layers.awk $(sort $(wildcard src/*.[ch] src/*/*.[ch]))

deps:
	@sh tools/deps.sh

demo: deps
	@$(MAKE) all
	@sh tools/demo.sh $(BUILD)

# What is unlike all before joins build/fuzz/NAME; a text that fails is left as build/fuzz/NAME-crash-….
SECONDS      ?= 60
FUZZ_TARGETS := recipe instructions format header model index pipeline
FUZZ_BUILD   := BUILD=build/clang CC=clang CFLAGS="-O1 -g" KERNEL_FLAGS="-O1 -fno-trapping-math" HASH_FLAGS=-O1 \
                SANITIZE="-w -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow -fno-sanitize-recover=all"
FUZZ_OBJECTS := $(call objects,tests/fuzz/syntax.c tests/fuzz/files.c) $(LIB_OBJECTS)
FUZZ_SEEDS   := tests/recipes docs/examples stdlib tests/golden/cases
FUZZ_OPTIONS := -max_total_time=$(SECONDS) -timeout=60 -rss_limit_mb=4096 -max_len=4096 -print_final_stats=1

fuzz: $(FUZZ_TARGETS:%=fuzz-%)

fuzz-%:
	@$(MAKE) $(FUZZ_BUILD) build/clang/fuzz-$*
	@mkdir -p build/fuzz/$*
	build/clang/fuzz-$* $(FUZZ_OPTIONS) -dict=tests/fuzz/words -artifact_prefix=build/fuzz/$*- \
	    build/fuzz/$* tests/fuzz/corpus-$* $(if $(filter recipe instructions format,$*),$(FUZZ_SEEDS))

$(BUILD)/fuzz-%: tests/fuzz/entry.c $(FUZZ_OBJECTS)
	$(call quiet,FUZZ $@)$(CC) $(CFLAGS) $(FLAGS) -Itests -fsanitize=fuzzer -DTARGET=fuzz_$* -o $@ $^ $(LIBRARIES)

bench: all
	@sh tools/bench.sh $(BUILD)

bench-methods: all
	@PAIRS=$${PAIRS:-3} sh tools/bench.sh $(BUILD) --methods

bench-scaling: all
	@PAIRS=$${PAIRS:-3} sh tools/bench.sh $(BUILD) --scaling

bench-large: all
	@sh tools/large.sh $(BUILD)

install: $(BUILD)/mecha
	install -D -m 755 $(BUILD)/mecha $(DESTDIR)$(PREFIX)/bin/mecha
	install -D -m 644 docs/mecha.1 $(DESTDIR)$(PREFIX)/share/man/man1/mecha.1
	@mkdir -p $(BUILD)/completion
	$< completion bash > $(BUILD)/completion/mecha
	$< completion zsh > $(BUILD)/completion/_mecha
	$< completion fish > $(BUILD)/completion/mecha.fish
	install -D -m 644 $(BUILD)/completion/mecha $(DESTDIR)$(PREFIX)/share/bash-completion/completions/mecha
	install -D -m 644 $(BUILD)/completion/_mecha $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_mecha
	install -D -m 644 $(BUILD)/completion/mecha.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/mecha.fish

format:
	clang-format -i $(filter-out %.def, $(wildcard src/*.[ch] src/*/*.[ch] tests/*.[ch] tools/*.c))

clean:
	rm -rf $(BUILD)

.PHONY: all tour tour-current check check-asan check-faults check-tsan check-avx512 check-mutations suites coverage lint check-long layers index index-current fuzz deps demo bench bench-methods bench-scaling bench-large install format clean
