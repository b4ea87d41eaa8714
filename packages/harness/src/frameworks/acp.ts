import { Writable } from 'node:stream';

import { client, methods, ndJsonStream } from '@agentclientprotocol/sdk';

import { agentEnvironment } from '../environment.ts';
import { runGroup } from '../run-group.ts';
import { decidePermission, permissionPolicy } from './acp-permissions.ts';
import { brokenAt, converse, heardOf, type TalkEnd } from './acp-talk.ts';
import { argvOf } from './command.ts';
import type { Framework, FrameworkCall, FrameworkResult, Heard, HeardUsage } from './framework.ts';
import { geminiCli } from './gemini-cli.ts';
import { openCode } from './open-code.ts';
import { speakerOf } from './state.ts';
import type { Trouble } from './trouble.ts';
import { tokensOf } from './usage-count.ts';
import { watchRun } from './watch.ts';

/** Characters of what an agent said, and of its stderr, that are kept from the end. */
const TEXT_LIMIT = 200_000;
const STDERR_LIMIT = 4000;

/** How the programs we know log what goes wrong. */
const LOGS: ReadonlyMap<string, ((line: string) => Heard) | undefined> = new Map(
  [openCode, geminiCli].map(({ name, hear_error }) => [name, hear_error]),
);

/**
 * Any agent that speaks the Agent Client Protocol over stdio: option `command` is its argv (`opencode acp`, `gemini --acp`). One turn per
 * prompt; its requests for permission are answered by policy. It reads, writes and runs by itself: no file or terminal call of a client's is
 * offered, and what it asks for all the same is answered as an unknown method.
 */
export const acp: Framework = { name: 'acp', model: true, scripted: false, run: runAcp };

/** What a run has told so far. */
interface Told {
  begun: boolean;
  /** When the last update came, by the clock of `performance`. */
  updated: number;
  text: string;
  stderr: string;
  /** What its log on stderr says stands in its way; null once it went on. */
  trouble: Trouble | null;
  usage: readonly HeardUsage[];
}

async function runAcp(call: FrameworkCall): Promise<FrameworkResult> {
  const argv = argvOf(call.order.framework.options['command'] ?? '', 'acp');
  const over = new AbortController();
  const watch = watchRun(call);
  const told: Told = {
    begun: false,
    updated: performance.now(),
    text: '',
    stderr: '',
    trouble: null,
    usage: [],
  };
  const meet = (trouble: Trouble | null): void => {
    told.trouble = trouble;
    watch.trouble(trouble);
  };
  const app = clientOf(call, told, () => meet(null));
  const lines = protocolLines(call.onOutput);
  const logged = logOf(call, meet);
  const on = {
    begin: () => (told.begun = true),
    quiet_ms: () => performance.now() - told.updated,
    usage(usage: readonly HeardUsage[]) {
      told.usage = usage;
      if (usage.length > 0) call.onUsage?.(usage);
    },
  };
  let talk: Promise<TalkEnd> = Promise.resolve({ code: 1, trouble: null });
  try {
    const exit = await runGroup({
      argv: call.confine(argv),
      cwd: call.order.worktree,
      env: agentEnvironment(call.env, call.order, call.prompt_file),
      timeout_ms: call.timeout_ms,
      signal: AbortSignal.any([over.signal, watch.signal]),
      stdin(stdin) {
        talk = app
          .connectWith(ndJsonStream(Writable.toWeb(stdin), lines.readable), async (agent) =>
            converse(agent, call, on),
          )
          .catch((error: unknown) => brokenAt(error, told.stderr))
          // An agent that speaks the protocol does not end by itself.
          .finally(() => over.abort());
        // A run whose command is missing awaits no conversation.
        talk.catch(() => undefined);
      },
      onOutput(chunk, from) {
        watch.output();
        if (from === 'stdout') return lines.push(chunk);
        told.stderr = (told.stderr + chunk).slice(-STDERR_LIMIT);
        logged(chunk);
        call.onOutput(chunk);
      },
    });
    lines.end();
    const { code, trouble } = await talk;
    const silent = watch.ended === 'silent';
    const timed_out = exit.timed_out || silent;
    const stopped = !timed_out && (call.signal.aborted || call.pause?.aborted === true) && code !== 0;
    const cut = stopped || timed_out;
    // A program that could only wait for its provider failed of that, whether we or its time ended it.
    const met = stopped || watch.ended === 'silent' || (watch.ended === null && !cut) ? null : told.trouble;
    return {
      code: cut ? null : code,
      signal: cut ? 'SIGTERM' : null,
      timed_out,
      stopped,
      silent,
      text: told.text.trim(),
      tokens_used: tokensOf(told.usage),
      usage: told.usage,
      feedback: null,
      trouble: met ?? (cut ? null : trouble),
    };
  } finally {
    watch.close();
  }
}

/** The client's side: permissions by policy, updates to the log. */
function clientOf(call: FrameworkCall, told: Told, onProgress: () => void) {
  const policy = permissionPolicy(call);
  return client({ name: 'caloron' })
    .onRequest(methods.client.session.requestPermission, ({ params }) => {
      const { answer, line } = decidePermission(policy, params);
      call.onOutput(`\n[caloron] ${line}\n`);
      return answer;
    })
    .onNotification(methods.client.session.update, ({ params }) => {
      told.updated = performance.now();
      if (!told.begun) return;
      const { log, said } = heardOf(params.update);
      if (log !== '') onProgress();
      // A thought or a plan is no output, but it is a sign of progress.
      call.onOutput(log);
      told.text = (told.text + said).slice(-TEXT_LIMIT);
    });
}

/** Reads of a program we know what its protocol leaves out: that its provider refuses it and it asks again. */
function logOf({ order }: FrameworkCall, onTrouble: (trouble: Trouble) => void): (chunk: string) => void {
  const hear = LOGS.get(speakerOf(order.framework));
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(-STDERR_LIMIT);
    for (const line of lines) {
      const trouble = hear?.(line).trouble;
      if (trouble !== undefined) onTrouble(trouble);
    }
  };
}

/** The lines of stdout that are messages, as bytes; others are what the program prints beside them. */
function protocolLines(onOther: (text: string) => void): {
  readonly readable: ReadableStream<Uint8Array>;
  push(text: string): void;
  end(): void;
} {
  const encoder = new TextEncoder();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
    undefined,
    undefined,
    new CountQueuingStrategy({ highWaterMark: Number.POSITIVE_INFINITY }),
  );
  const writer = writable.getWriter();
  // A conversation that has ended reads no further.
  writer.closed.catch(() => undefined);
  const pieces: string[] = [];
  const take = (line: string): void => {
    if (line.trimStart().startsWith('{')) writer.write(encoder.encode(`${line}\n`)).catch(() => undefined);
    else if (line.trim() !== '') onOther(`${line}\n`);
  };
  return {
    readable,
    push(text) {
      const parts = text.split('\n');
      pieces.push(parts[0] ?? '');
      for (const next of parts.slice(1)) {
        take(pieces.splice(0).join(''));
        pieces.push(next);
      }
    },
    end() {
      writer.close().catch(() => undefined);
    },
  };
}
