#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# python.sh - Python with threads, queues and NumPy
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs /usr/bin/python3
/usr/bin/python3 -c 'import numpy' 2> /dev/null || {
	echo "skipped: python3-numpy is not installed"
	exit 77
}

prepare()
{
	cat > script.py <<-'END'
		import hashlib, queue, random, threading, time
		import numpy as np

		tasks, results = queue.Queue(maxsize=4), {}
		lock = threading.Lock()

		def work():
		    while True:
		        number = tasks.get()
		        if number is None:
		            return
		        r = np.random.default_rng(number)
		        a = r.standard_normal((220, 220))
		        for _ in range(6):
		            a = np.tanh(a @ a.T / 220.0) + 0.001 * np.fft.fft2(a).real
		        a.sort(axis=0)
		        digest = hashlib.sha256(a.tobytes()).hexdigest()
		        words = {f"{random.Random(number * i).random():.6f}": i for i in range(2000)}
		        with lock:
		            results[number] = (digest, float(a.sum()), sum(words.values()))
		        time.sleep(0.005)

		threads = [threading.Thread(target=work) for _ in range(4)]
		for t in threads:
		    t.start()
		for number in range(50):
		    tasks.put(number)
		for t in threads:
		    tasks.put(None)
		for t in threads:
		    t.join()
		for number in sorted(results):
		    print(number, *results[number])
	END
}

# Sums in a fixed order, however many processors there are.
export OPENBLAS_NUM_THREADS=1

program()
{
	exec /usr/bin/python3 script.py
}

real
