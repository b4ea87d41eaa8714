import { createServer } from 'node:net';

/** Ports looked at at once. */
const AT_ONCE = 50;

/** The ports of a block that some program of this machine listens on now, on whatever address. */
export async function portsInUse(first: number, count: number): Promise<readonly number[]> {
  const used: number[] = [];
  for (let at = 0; at < count; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, n) => first + at + n);
    const free = await Promise.all(some.map(isFree));
    used.push(...some.filter((_, n) => free[n] === false));
  }
  return used;
}

/** The system refuses a second listener on all addresses where there is one on any of them. */
async function isFree(port: number): Promise<boolean> {
  return (await listens(port, '::')) ?? (await listens(port, '0.0.0.0')) ?? true;
}

/** Null where the machine has no such address. */
function listens(port: number, host: string): Promise<boolean | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => {
      const code = 'code' in error ? error.code : undefined;
      resolve(code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' ? null : false);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
