import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import { agent, methods, ndJsonStream, PROTOCOL_VERSION, RequestError } from '@agentclientprotocol/sdk';
import { z } from 'zod';

/** What an agent of the tests does in its turn; the first argument of its command, as JSON. */
const Script = z.array(
  z.union([
    z.strictObject({ say: z.string() }),
    z.strictObject({ say_bytes: z.number() }),
    z.strictObject({ noise: z.string() }),
    z.strictObject({ write: z.string(), content: z.string() }),
    z.strictObject({ ask: z.string(), kind: z.string(), path: z.string().optional() }),
    z.strictObject({ call: z.string() }),
    z.strictObject({ fail: z.string(), code: z.number() }),
    z.strictObject({ stop: z.enum(['max_tokens', 'refusal']) }),
    z.strictObject({ wait: z.literal(true) }),
    z.strictObject({ die: z.string() }),
    z.strictObject({ deaf: z.literal(true) }),
  ]),
);
const steps = Script.parse(JSON.parse(process.argv[2] ?? '[]'));
const cancelled = new AbortController();
let cwd = '';

const app = agent({ name: 'scripted' })
  .onRequest(methods.agent.initialize, async () => {
    if (steps.some((step) => 'deaf' in step)) await delay(60_000);
    return { protocolVersion: PROTOCOL_VERSION, agentCapabilities: {} };
  })
  .onRequest(methods.agent.session.new, ({ params }) => {
    ({ cwd } = params);
    return { sessionId: 'session-1' };
  })
  .onNotification(methods.agent.session.cancel, () => cancelled.abort())
  .onRequest(methods.agent.session.prompt, async ({ params, client }) => {
    const { sessionId } = params;
    const say = (text: string) =>
      client.notify(methods.client.session.update, {
        sessionId,
        update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } },
      });
    for (const step of steps) {
      if ('say' in step) await say(step.say.replace('{prompt}', JSON.stringify(params.prompt)));
      if ('say_bytes' in step) await say('x'.repeat(step.say_bytes));
      if ('noise' in step) process.stdout.write(step.noise);
      if ('write' in step) writeFileSync(join(cwd, step.write), step.content);
      if ('fail' in step) throw new RequestError(step.code, step.fail);
      if ('stop' in step) return { stopReason: step.stop };
      if ('die' in step) {
        process.stderr.write(step.die);
        process.exit(3);
      }
      if ('wait' in step) {
        await delay(60_000, undefined, { signal: cancelled.signal }).catch(() => undefined);
        writeFileSync(join(cwd, 'cancelled'), String(cancelled.signal.aborted));
        return { stopReason: 'cancelled' };
      }
      if ('call' in step) {
        const answer = await client.request(step.call, { sessionId, path: '/etc/passwd' }).then(
          () => 'answered',
          (error: unknown) => `refused ${error instanceof RequestError ? error.code : ''}`,
        );
        await say(`${answer}; `);
      }
      if ('ask' in step) {
        const { outcome } = await client.request(methods.client.session.requestPermission, {
          sessionId,
          toolCall: {
            toolCallId: 'call-1',
            title: step.ask,
            kind: step.kind as 'read',
            ...(step.path === undefined ? {} : { locations: [{ path: step.path }] }),
          },
          options: [
            { optionId: 'always', name: 'Always', kind: 'allow_always' },
            { optionId: 'once', name: 'Once', kind: 'allow_once' },
            { optionId: 'no', name: 'No', kind: 'reject_once' },
          ],
        });
        await say(`${step.ask}: ${outcome.outcome === 'selected' ? outcome.optionId : 'cancelled'}; `);
      }
    }
    return { stopReason: 'end_turn' };
  });

await app.connect(
  ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>),
).closed;
