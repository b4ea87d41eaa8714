import pLimit from 'p-limit';

import { CodedError, messageOf } from '../errors.ts';
import type { GraphNode, MapNode, NodeMap, ProjectNode } from '../graph/ast.ts';
import { GraphError } from '../graph/errors.ts';
import { childPath } from '../graph/walk.ts';
import type { Json } from '../ports.ts';
import { jsonKind } from '../types/value.ts';
import { callStage, publicCode } from './call-stage.ts';
import type { RunContext } from './context.ts';
import { within } from './deadline.ts';
import { callRemote } from './remote.ts';
import { retry } from './retry.ts';
import { own, settledRecord } from './settle.ts';
import { branchInput, literal, mergeConfig, scope, sourceInput, valueAt } from './values.ts';
import { inTurn } from './wait.ts';

/** Runs a node on a settled input, within its deadline. Throws the error of the failing stage, placed in the graph, or GRAPH_NODE_TIMEOUT. */
export async function interpret(node: GraphNode, path: string, input: Json, run: RunContext): Promise<Json> {
  const { timeout_ms } = node;
  if (timeout_ms === undefined || node.op === 'RemoteStage') return execute(node, path, input, run);
  const error = (): Error => new GraphError('GRAPH_NODE_TIMEOUT', { path, timeout_ms }, { retryable: true });
  return within(run, { timeout: { ms: timeout_ms, error } }, (inner) => execute(node, path, input, inner));
}

async function execute(node: GraphNode, path: string, input: Json, run: RunContext): Promise<Json> {
  run.signal.throwIfAborted();
  switch (node.op) {
    case 'Stage':
      return callStage(run.calledBy(node), path, mergeConfig(input, node.config), run);
    case 'RemoteStage':
      return inTurn(run, () => callRemote(node, path, input, run));
    case 'Const':
      return literal(node.value);
    case 'Sequential':
      return sequential(node.stages, path, input, run);
    case 'Parallel': {
      const outputs = await allNamed(node.branches, 'parallel', run, (name, branch, inner) =>
        interpret(branch, childPath(`${path}.branches`, name), branchInput(input, name), inner),
      );
      return settledRecord(outputs);
    }
    case 'Branch': {
      const chosen =
        (await interpret(node.predicate, `${path}.predicate`, input, run)) === true ? 'if_true' : 'if_false';
      return interpret(node[chosen], `${path}.${chosen}`, input, run);
    }
    case 'Fanout': {
      const source = await interpret(node.source, `${path}.source`, input, run);
      const call = (target: GraphNode, i: number): Promise<Json> =>
        interpret(target, `${path}.targets[${i}]`, source, run);
      return own([...(await (run.compat ? oneByOne(node.targets, call) : all(node.targets.map(call))))]);
    }
    case 'Merge': {
      const call = (source: GraphNode, i: number): Promise<Json> =>
        interpret(source, `${path}.sources[${i}]`, sourceInput(input, i), run);
      const outputs = await (run.compat ? oneByOne(node.sources, call) : all(node.sources.map(call)));
      const merged = settledRecord(outputs.map((output, i) => [`source_${i}`, output]));
      return interpret(node.target, `${path}.target`, merged, run);
    }
    case 'Retry':
      return retry(node, path, run, () => interpret(node.stage, `${path}.stage`, input, run));
    case 'Let': {
      const outputs = await allNamed(node.bindings, 'let', run, (name, binding, inner) =>
        interpret(binding, childPath(`${path}.bindings`, name), input, inner),
      );
      return interpret(node.body, `${path}.body`, scope(input, outputs), run);
    }
    case 'Map':
      return mapItems(node, path, input, run);
    case 'Project':
      return project(node, input);
  }
}

async function sequential(
  stages: readonly GraphNode[],
  path: string,
  input: Json,
  run: RunContext,
): Promise<Json> {
  let value = input;
  for (const [i, stage] of stages.entries())
    value = await interpret(stage, `${path}.stages[${i}]`, value, run);
  return value;
}

/** Waits for every one, then throws the error of the first that failed in order, so that the error chosen does not depend on time. */
async function all(calls: readonly Promise<Json>[]): Promise<readonly Json[]> {
  const outcomes = await Promise.allSettled(calls);
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

/** The original's Fanout and Merge: one after the other, the first failure stops the rest. */
async function oneByOne(
  nodes: readonly GraphNode[],
  call: (node: GraphNode, i: number) => Promise<Json>,
): Promise<readonly Json[]> {
  const outputs: Json[] = [];
  for (const [i, node] of nodes.entries()) outputs.push(await call(node, i));
  return outputs;
}

async function allNamed(
  nodes: NodeMap,
  kind: 'parallel' | 'let',
  run: RunContext,
  call: (name: string, node: GraphNode, run: RunContext) => Promise<Json>,
): Promise<readonly (readonly [string, Json])[]> {
  const names = [...nodes.keys()];
  const calls = [...nodes].map(
    ([name, node]) =>
      (inner: RunContext): Promise<Json> =>
        call(name, node, inner),
  );
  const outputs = await (run.compat
    ? run.compat.together(kind, names, calls, run)
    : all(calls.map((start) => start(run))));
  return outputs.map((output, i) => [names[i] ?? '', output]);
}

async function mapItems(node: MapNode, path: string, input: Json, run: RunContext): Promise<Json> {
  const items = valueAt(input, node.over);
  if (!Array.isArray(items)) {
    throw new GraphError('GRAPH_VALUE_INVALID', {
      path,
      expected: `a list at \`${node.over}\``,
      actual: jsonKind(items),
    });
  }
  const limit = pLimit(node.concurrency);
  let failed = false;
  const call = async (item: Json, i: number): Promise<Json> => {
    // Once one item has failed the others cannot change the outcome: those not begun are left.
    if (failed && node.on_error === 'fail') return null;
    try {
      return await interpret(node.stage, `${path}.stage[${i}]`, scope(input, [[node.as, item]]), run);
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const calls = items.map((item, i) => limit(() => call(item as Json, i)));
  return node.on_error === 'fail' ? own([...(await all(calls))]) : collected(calls, run);
}

async function collected(calls: readonly Promise<Json>[], run: RunContext): Promise<Json> {
  const outcomes = await Promise.allSettled(calls);
  run.signal.throwIfAborted();
  const results = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const errors = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected'
      ? [{ index, code: publicCode(outcome.reason), message: reasonOf(outcome.reason) }]
      : [],
  );
  return own({ results: own(results), errors: own(errors.map(own)) });
}

function reasonOf(error: unknown): string {
  return error instanceof CodedError ? error.message : `unexpected: ${messageOf(error)}`;
}

function project(node: ProjectNode, input: Json): Json {
  return settledRecord(
    [...node.fields].map(([name, field]) => [
      name,
      'path' in field ? valueAt(input, field.path) : literal(field.value),
    ]),
  );
}
