import { GraphError } from '../graph/errors.ts';
import type { Json } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import type { StageCalls } from '../stage/define-stage.ts';
import { StageError } from '../stage/errors.ts';
import type { Called, RunContext } from './context.ts';
import { within } from './deadline.ts';
import { settle, unsettled } from './settle.ts';

/** Calls a stage as a node of the graph is called. */
type CallStage = (called: Called, path: string, input: Json, run: RunContext) => Promise<Json>;

/**
 * What a stage calls the stages with that its config names: each call is traced, charged and bounded as a node of its
 * own at `PATH.calls[index]`.
 */
export function callsOf(
  callees: ReadonlyMap<string, CatalogStage>,
  path: string,
  run: RunContext,
  callStage: CallStage,
): StageCalls {
  let count = 0;
  return {
    call: async (reference, value, { index, signal } = {}) => {
      const at = `${path}.calls[${index ?? count}]`;
      count += 1;
      const entry = callees.get(reference);
      if (!entry)
        throw new GraphError('GRAPH_REFERENCE_UNKNOWN', { path, reference, known: [...callees.keys()] });
      const input = settle(value);
      if (input === undefined) {
        const issues = [`the input holds ${unsettled(value)}`];
        throw new StageError('STAGE_INPUT_INVALID', { stage: entry.record.name, path: at, issues });
      }
      const call = (inner: RunContext): Promise<Json> =>
        callStage({ entry, callees: null }, at, input, inner);
      return signal ? within(run, { signal }, call) : call(run);
    },
  };
}
