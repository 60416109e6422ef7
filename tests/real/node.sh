#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# node.sh - Node: timers, promises, hashes, a child process, threads of the event loop (epoll, eventfd, sockets)
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs nodejs

prepare()
{
	cat > program.js <<-'END'
		const crypto = require('crypto');
		const { spawn } = require('child_process');
		let sum = 'begin', n = 0;
		const child = spawn('/bin/cat', { stdio: ['pipe', 'pipe', 'inherit'] });
		let echoed = '';
		child.stdout.on('data', (data) => { echoed += data; });
		const timer = setInterval(() => {
			crypto.pbkdf2(sum, 'salt', 20000, 32, 'sha256', (error, key) => {
				if (error) throw error;
				sum = key.toString('hex');
				child.stdin.write(`${n} ${sum}\n`);
				if (++n === 60) {
					clearInterval(timer);
					child.stdin.end();
				}
			});
		}, 50);
		child.on('close', (code) => {
			process.stdout.write(echoed.split('\n').length + ' lines, status ' + code + '\n');
		});
	END
}

program()
{
	exec nodejs program.js
}

real
