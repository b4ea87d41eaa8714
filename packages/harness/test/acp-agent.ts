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
    z.strictObject({ able: z.enum(['resume', 'load']) }),
    z.strictObject({ models: z.array(z.string()) }),
    z.strictObject({ uses: z.record(z.string(), z.unknown()) }),
  ]),
);
const steps = Script.parse(JSON.parse(process.argv[2] ?? '[]'));
const cancelled = new AbortController();
let cwd = '';
let how = '';

/** Begins a session, or goes on with one; offers its models. */
function open(manner: string, id: string, directory: string) {
  if (id === 'gone') throw new RequestError(-32_002, 'Resource not found: session');
  cwd = directory;
  how = `${manner} ${id}`;
  const models = steps.flatMap((step) => ('models' in step ? step.models : []));
  const options = models.map((value) => ({ value, name: value }));
  const choice = { id: 'm', name: 'Model', category: 'model', type: 'select' as const, options };
  return models.length === 0 ? {} : { configOptions: [{ ...choice, currentValue: models[0] ?? '' }] };
}

const app = agent({ name: 'scripted' })
  .onRequest(methods.agent.initialize, async () => {
    if (steps.some((step) => 'deaf' in step)) await delay(60_000);
    const able = steps.flatMap((step) => ('able' in step ? [step.able] : []))[0];
    const agentCapabilities = {
      loadSession: able === 'load',
      ...(able === 'resume' ? { sessionCapabilities: { resume: {} } } : {}),
    };
    return { protocolVersion: PROTOCOL_VERSION, agentCapabilities };
  })
  .onRequest(methods.agent.session.resume, ({ params }) => open('resumed', params.sessionId, params.cwd))
  .onRequest(methods.agent.session.load, async ({ params, client }) => {
    const tell = (text: string) =>
      client.notify(methods.client.session.update, {
        sessionId: params.sessionId,
        update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } },
      });
    await tell('what was said before');
    // Gemini CLI has not told all of it when it answers.
    setTimeout(() => void tell('and after that').catch(() => undefined), 100);
    return open('loaded', params.sessionId, params.cwd);
  })
  .onRequest(methods.agent.session.setConfigOption, ({ params }) => {
    how += ` with ${String(params.value)}`;
    return { configOptions: [] };
  })
  .onRequest(methods.agent.session.new, ({ params }) => {
    return { sessionId: 'session-1', ...open('new', 'session-1', params.cwd) };
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
      if ('say' in step)
        await say(step.say.replace('{prompt}', JSON.stringify(params.prompt)).replace('{session}', how));
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
    const uses = steps.flatMap((step) => ('uses' in step ? [step.uses] : []))[0];
    return { stopReason: 'end_turn', ...uses };
  });

await app.connect(
  ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>),
).closed;
