#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# asyncio.sh - a Python server with clients in processes of their own: TCP, unix sockets, epoll, subprocesses
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs python3

prepare()
{
	cat > program.py <<-'END'
		import asyncio, hashlib, multiprocessing, os

		async def serve(reader, writer):
		    while line := await reader.readline():
		        writer.write(hashlib.sha256(line).hexdigest().encode() + b'\n')
		        await writer.drain()
		    writer.close()

		async def client(kind, where, seed):
		    if kind == 'tcp':
		        reader, writer = await asyncio.open_connection('127.0.0.1', where)
		    else:
		        reader, writer = await asyncio.open_unix_connection(where)
		    text = str(seed)
		    for _ in range(60):
		        writer.write(text.encode() + b'\n')
		        await writer.drain()
		        text = (await reader.readline()).decode().strip()
		        await asyncio.sleep(0.03)
		    writer.close()
		    return text

		def other_process(port, pipe):
		    pipe.send(asyncio.run(client('tcp', port, 3)))

		async def main():
		    tcp = await asyncio.start_server(serve, '127.0.0.1', 0)
		    unix = await asyncio.start_unix_server(serve, 'socket')
		    port = tcp.sockets[0].getsockname()[1]
		    ours, theirs = multiprocessing.Pipe()
		    process = multiprocessing.get_context('fork').Process(target=other_process, args=(port, theirs))
		    process.start()
		    results = await asyncio.gather(client('tcp', port, 1), client('unix', 'socket', 2))
		    results.append(await asyncio.get_running_loop().run_in_executor(None, ours.recv))
		    process.join()
		    print(*results, sep='\n')

		asyncio.run(main())
	END
}

program()
{
	exec python3 program.py
}

real
