import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';

import { SpawnReply } from '@caloron/types';
import { z } from 'zod';

import { createFixture, type Fixture, SHELL_TOKEN, spawnOf } from './fixture.ts';

/** A shell in a process of its own, with an agent at work on each task of the sprint. */
export interface Target {
  readonly fixture: Fixture;
  readonly url: string;
  readonly pid: number;
  /** The tokens of agent-1 on t1 and of agent-2 on t2. */
  readonly tokens: readonly [string, string];
  /** Their processes, in the same order. */
  readonly processes: readonly [SpawnReply, SpawnReply];
  /** What the shell has logged so far. */
  log(): string;
  /** Whether the shell's process still runs. */
  lives(): boolean;
  close(): Promise<void>;
}

/** One HTTP request as it is. */
export interface Shot {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
}

/** What came back; status 0 when the connection was closed without an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly type: string;
  readonly body: string;
}

const Ready = z.object({ url: z.string(), pid: z.number() });

/** Starts a shell and its two agents. */
export async function createTarget(): Promise<Target> {
  const fixture = await createFixture();
  const started: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    for (const child of started) child.kill('SIGKILL');
    await fixture.close();
  };
  try {
    await fixture.kickoff();
    const env = Object.fromEntries(
      Object.entries({ ...fixture.config.env, CALORON_LOG_LEVEL: 'debug' }).filter(
        (pair): pair is [string, string] => pair[1] !== undefined,
      ),
    );
    const given = JSON.stringify({ home: fixture.home, remote: fixture.remote, env });
    const script = join(import.meta.dirname, 'shell-process.ts');
    const child = spawn(process.execPath, [script, given], {
      env: { PATH: env['PATH'] ?? '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`it ended: ${log}`)));
    ended.catch(() => undefined);
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string];
    const { url, pid } = Ready.parse(JSON.parse(line));
    const one = await spawned(fixture, url, 't1', 'agent-1');
    const two = await spawned(fixture, url, 't2', 'agent-2');
    return {
      fixture,
      url,
      pid,
      tokens: [one.token, two.token],
      processes: [one.reply, two.reply],
      log: () => log,
      lives: () => child.exitCode === null && child.signalCode === null,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function spawned(
  fixture: Fixture,
  url: string,
  task_id: string,
  agent_id: string,
): Promise<{ readonly reply: SpawnReply; readonly token: string }> {
  const wanted = spawnOf({ task_id, agent_id, instruction: JSON.stringify({ wait: true }) });
  const answer = await shoot(url, post('/spawn', wanted, SHELL_TOKEN));
  const reply = SpawnReply.parse(JSON.parse(answer.body));
  const { order } = await fixture.seen(reply.process_id);
  return { reply, token: order.agent_token };
}

/** A POST of JSON. */
export function post(path: string, body: unknown, token: string | null): Shot {
  const headers = {
    'content-type': 'application/json',
    ...(token === null ? {} : { 'x-caloron-token': token }),
  };
  return { method: 'POST', path, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** Sends one request over a real connection. */
export function shoot(url: string, { method, path, headers, body }: Shot): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const length = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({ hostname, port, method, path, headers: { ...length, ...headers }, agent });
    const silent = setTimeout(() => sent.destroy(new Error(`no answer: ${method} ${path}`)), 30_000);
    let answered = false;
    sent.on('response', (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      const done = (): void => {
        clearTimeout(silent);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.rawHeaders.join('\n'),
          type: response.headers['content-type'] ?? '',
          body: Buffer.concat(chunks).toString('utf8'),
        });
      };
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', done).on('error', done);
    });
    sent.on('error', (error) => {
      clearTimeout(silent);
      if (answered) return;
      // A shell that has refused does not read the rest: the answer may be lost with the connection.
      const closed = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      if (closed) resolve({ status: 0, headers: '', type: '', body: '' });
      else reject(error);
    });
    sent.end(body ?? undefined);
  });
}

/** Sends bytes as they are and gives everything that comes back until the connection ends. */
export function shootBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) }, () => socket.write(bytes));
    let text = '';
    socket.setTimeout(30_000, () => socket.destroy(new Error('no answer')));
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('close', () => resolve(text)).on('error', reject);
  });
}

/** Every row of the database that a request without effect leaves as it is, as text. */
export function rowsOf({ config }: Fixture): Readonly<Record<string, readonly string[]>> {
  const db = new DatabaseSync(config.db, { readOnly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    return Object.fromEntries(
      tables.map(({ name }) => {
        const table = String(name);
        return [
          table,
          db
            .prepare(`SELECT * FROM "${table}"`)
            .all()
            .map((row) => JSON.stringify(masked(table, row))),
        ];
      }),
    );
  } finally {
    db.close();
  }
}

/** Heartbeats and the home's own lease move by themselves. */
function masked(table: string, row: Readonly<Record<string, unknown>>): unknown {
  const moving =
    table === 'agents'
      ? ['last_heartbeat_at', 'last_progress_at', 'next_by', 'said', 'tokens_used', 'rev']
      : table === 'leases'
        ? ['expires_at']
        : [];
  return Object.fromEntries(Object.entries(row).filter(([name]) => !moving.includes(name)));
}

/** Every file below a directory with its kind, mode and content; the database itself is left out. */
export function filesOf(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/\.db(-wal|-shm)?$|(^|\/)processes\.lock/.test(name))
    .toSorted()
    .map((name) => {
      const path = join(root, name);
      const stat = lstatSync(path);
      const content = stat.isSymbolicLink()
        ? `-> ${readlinkSync(path)}`
        : stat.isFile()
          ? createHash('sha256').update(readFileSync(path)).digest('hex')
          : '';
      return `${name} ${(stat.mode & 0o7777).toString(8)} ${content}`;
    });
}
