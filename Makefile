# SPDX-License-Identifier: BSD-3-Clause
# Makefile - one word for each thing; the building itself is Meson's (meson.build)
.POSIX:
PREFIX = /usr/local
DESTDIR =
BUILD = build

all: setup
	@ninja -C $(BUILD)

setup:
	@tools/install-deps --check build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --prefix $(PREFIX)

check:
	@tests/check

check-unit:
	@tests/check build unit

check-asan:
	@tests/check asan

fuzz:
	@tests/check fuzz

lint:
	@tools/lint

demo:
	@tools/demo

bench:
	@bench/run

install: all
	@meson configure $(BUILD) --prefix $(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-asan build-fuzz

help:
	@echo 'make              build/dunlin'
	@echo 'make demo         checkpoint and restart a real program, step by step   (as root)'
	@echo 'make check        all tests, at most 15 minutes                         (as root)'
	@echo 'make check-unit   the unit tests'
	@echo 'make check-asan   the unit tests under AddressSanitizer and UBSan'
	@echo 'make fuzz         fuzz the readers of images for a minute'
	@echo 'make bench        measure it against the limits of this machine         (as root)'
	@echo 'make lint         clang-format, clang-tidy, cppcheck, shellcheck, mandoc'
	@echo 'make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make clean        remove what was built'
	@echo 'What is missing: tools/install-deps (check, demo and bench call it themselves).'

.PHONY: all setup check check-unit check-asan fuzz lint demo bench install clean help
