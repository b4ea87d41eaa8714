import Fastify from 'fastify';

// A route that parses and answers JSON and does nothing else: what heartbeats are compared with.
const app = Fastify();
app.post('/echo', (request) => ({ ok: true, got: request.body }));
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ ready: true, url, pid: process.pid })}\n`);
