import {
  type ClientContext,
  type InitializeResponse,
  methods,
  type NewSessionRequest,
  PROTOCOL_VERSION,
  type SendRequestOptions,
  type SessionConfigOption,
} from '@agentclientprotocol/sdk';
import { VERSION } from '@caloron/types/version';

import { HarnessError } from '../errors.ts';
import type { FrameworkCall } from './framework.ts';

/** Milliseconds an agent has to answer what is no turn: starting it may load a catalogue of models. */
const ANSWER_MS = 120_000;

/** A session that is ready for a prompt. */
export interface OpenedSession {
  readonly session_id: string;
  /** Whether it is the one the run was to go on with. */
  readonly resumed: boolean;
  /** Whether the agent tells all of it again. */
  readonly retold: boolean;
}

/**
 * Initialises the agent and opens a session in the worktree: the one the run is to go on with where the agent can, else a new one; with option
 * `model` where the agent offers a choice. Rejects with the agent's own error.
 */
export async function openSession(agent: ClientContext, call: FrameworkCall): Promise<OpenedSession> {
  const within = (): SendRequestOptions => ({
    cancellationSignal: AbortSignal.any([call.signal, AbortSignal.timeout(ANSWER_MS)]),
    stopWaitingOnCancel: true,
  });
  const able = await agent.request(
    methods.agent.initialize,
    {
      protocolVersion: PROTOCOL_VERSION,
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
      clientInfo: { name: 'caloron', version: VERSION },
    },
    within(),
  );
  const id = call.session?.id;
  const method = id === undefined ? undefined : resumeMethod(able);
  const place: NewSessionRequest = { cwd: call.order.worktree, mcpServers: [] };
  if (id !== undefined && method !== undefined) {
    const found = await agent.request(method, { sessionId: id, ...place }, within());
    await chooseModel(agent, call, id, found?.configOptions ?? [], within());
    return { session_id: id, resumed: true, retold: method === methods.agent.session.load };
  }
  const made = await agent.request(methods.agent.session.new, place, within());
  call.onSession?.({ id: made.sessionId, used: [] });
  await chooseModel(agent, call, made.sessionId, made.configOptions ?? [], within());
  return { session_id: made.sessionId, resumed: false, retold: false };
}

/** How the agent goes on with a session; undefined when it cannot. */
function resumeMethod({
  agentCapabilities,
}: InitializeResponse): 'session/resume' | 'session/load' | undefined {
  const resumes = agentCapabilities?.sessionCapabilities?.resume;
  if (resumes !== undefined && resumes !== null) return methods.agent.session.resume;
  return agentCapabilities?.loadSession === true ? methods.agent.session.load : undefined;
}

async function chooseModel(
  agent: ClientContext,
  call: FrameworkCall,
  sessionId: string,
  offered: readonly SessionConfigOption[],
  options: SendRequestOptions,
): Promise<void> {
  const model = call.order.framework.options['model'];
  const choice = offered.find(({ category, type }) => category === 'model' && type === 'select');
  // An agent that offers none is told its model by its own command or settings.
  if (model === undefined || model === '' || choice?.type !== 'select') return;
  const values = choice.options.flatMap((entry) => ('options' in entry ? entry.options : [entry]));
  if (!values.some(({ value }) => value === model)) {
    const known = values.map(({ value }) => value).slice(0, 20);
    throw new HarnessError('HARNESS_FRAMEWORK_OPTION', {
      framework: call.order.framework.name,
      option: 'model',
      expected: `one of those the agent offers: ${known.join(', ')}`,
    });
  }
  const setting = { sessionId, configId: choice.id, value: model };
  await agent.request(methods.agent.session.setConfigOption, setting, options);
}
