import type { Readable } from 'node:stream';

/** One ref a push wants to move. */
export interface PushCommand {
  readonly old_sha: string;
  readonly new_sha: string;
  readonly ref: string;
}

/** The beginning of a push: what it wants, what its client can do, and the bytes that said so. */
export interface PushRequest {
  readonly commands: readonly PushCommand[];
  /** Words divided by spaces; empty when the client names none. */
  readonly capabilities: string;
  readonly read: Buffer;
}

/** A push's commands are text of a few hundred bytes each; more than this is no push of a person. */
const MAX_COMMAND_BYTES = 4_000_000;

/**
 * Reads the commands at the beginning of a `git-receive-pack` request (pkt-lines up to a flush packet) and puts what it
 * read back in front of the stream. Undefined when the text is no such request.
 */
export async function readPushCommands(body: Readable): Promise<PushRequest | undefined> {
  let read = Buffer.alloc(0);
  for (;;) {
    const commands = parseCommands(read);
    if (commands !== 'incomplete') return commands === 'invalid' ? undefined : { ...commands, read };
    if (read.length > MAX_COMMAND_BYTES) return undefined;
    const chunk = await nextChunk(body);
    // git asks with a lone flush packet whether it may push; a body that ends before the flush is cut off.
    if (chunk === undefined) return undefined;
    read = Buffer.concat([read, chunk]);
  }
}

/** The next bytes of a stream, which stays paused; undefined at its end. Throws what broke it. */
async function nextChunk(body: Readable): Promise<Buffer | undefined> {
  for (;;) {
    const chunk: unknown = body.read();
    if (Buffer.isBuffer(chunk)) return chunk;
    if (body.readableEnded || body.destroyed) return undefined;
    await new Promise<void>((resolve, reject) => {
      const events = ['readable', 'end', 'close'] as const;
      const settle = (error?: unknown): void => {
        for (const event of events) body.off(event, done);
        body.off('error', settle);
        if (error instanceof Error) reject(error);
        else resolve();
      };
      const done = (): void => settle();
      for (const event of events) body.on(event, done);
      body.on('error', settle);
    });
  }
}

function parseCommands(bytes: Buffer): Omit<PushRequest, 'read'> | 'incomplete' | 'invalid' {
  let capabilities = '';
  const commands: PushCommand[] = [];
  for (let at = 0; ;) {
    if (bytes.length < at + 4) return 'incomplete';
    const head = bytes.toString('latin1', at, at + 4);
    if (!/^[0-9a-f]{4}$/i.test(head)) return 'invalid';
    const length = Number.parseInt(head, 16);
    if (length === 0) return { commands, capabilities };
    if (length < 4) return 'invalid';
    if (bytes.length < at + length) return 'incomplete';
    const line = bytes.toString('utf8', at + 4, at + length);
    at += length;
    capabilities ||= line.split('\0')[1]?.trim() ?? '';
    // The first command carries the client's capabilities after a NUL; a shallow client names its edges before.
    const match = /^([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)/.exec(line);
    if (match !== null)
      commands.push({ old_sha: match[1] ?? '', new_sha: match[2] ?? '', ref: match[3] ?? '' });
    else if (!line.startsWith('shallow ')) return 'invalid';
  }
}
