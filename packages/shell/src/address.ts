import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';

import { writeAtomically } from '@caloron/capabilities/atomic-file';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

import { ShellError } from './errors.ts';

const Address = z.looseObject({ url: z.url() });

/**
 * Listens, and leaves the address for agents of an earlier shell; gives it. Where any port will do, the one of the last time
 * is taken again if it is free: then nobody has to look for it. Throws SHELL_PORT_IN_USE.
 */
export async function serveAt(
  app: FastifyInstance,
  { host, port, file }: { readonly host: string; readonly port: number; readonly file: string },
): Promise<string> {
  const earlier = port === 0 ? earlierPort(file) : undefined;
  if (earlier === undefined || !(await listens(app, host, earlier))) {
    if (!(await listens(app, host, port))) throw new ShellError('SHELL_PORT_IN_USE', { host, port });
  }
  const address = app.server.address() as AddressInfo;
  // Agents run on this machine: a shell that listens everywhere is still nearest on loopback.
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  const url = `http://${name}:${address.port}`;
  await writeAtomically(file, `${JSON.stringify({ v: 1, url })}\n`, 0o600);
  return url;
}

/** False when the port is taken by another program. */
async function listens(app: FastifyInstance, host: string, port: number): Promise<boolean> {
  try {
    await app.listen({ host, port });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
}

function earlierPort(file: string): number | undefined {
  try {
    const port = Number(new URL(Address.parse(JSON.parse(readFileSync(file, 'utf8'))).url).port);
    return port === 0 ? undefined : port;
  } catch {
    // The first start of this home, or a file that is no address.
    return undefined;
  }
}
