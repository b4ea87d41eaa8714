import type { PushCommand } from './push-commands.ts';

/** The most bytes of one packet of a side band. Source: gitprotocol-pack, side-band-64k. */
const MAX_PACKET = 65_515;

function packet(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, '0')), body]);
}

function line(text: string): Buffer {
  return packet(Buffer.from(`${text}\n`));
}

const FLUSH = Buffer.from('0000');

/**
 * What a client is told of a push that is refused as a whole: nothing of it was read. `capabilities` are the ones it named.
 */
export function refusedPush(
  commands: readonly PushCommand[],
  reasons: ReadonlyMap<string, string>,
  capabilities: string,
): Buffer {
  const words = capabilities.split(' ');
  const lines = commands.map(({ ref }) =>
    line(`ng ${ref} ${reasons.has(ref) ? 'protected branch hook declined' : 'pre-receive hook declined'}`),
  );
  const report = Buffer.concat([line('unpack ok'), ...lines, FLUSH]);
  if (!words.includes('side-band-64k')) return report;
  const said = [...reasons].map(
    ([ref, reason]) => `error: GH006: Protected branch update failed for ${ref}.\nerror: ${reason}\n`,
  );
  const band = (number: number, body: Buffer): Buffer =>
    packet(Buffer.concat([Buffer.from([number]), body.subarray(0, MAX_PACKET)]));
  return Buffer.concat([
    band(2, Buffer.from(said.join(''))),
    ...chunks(report).map((part) => band(1, part)),
    FLUSH,
  ]);
}

function chunks(bytes: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += MAX_PACKET) parts.push(bytes.subarray(at, at + MAX_PACKET));
  return parts;
}
