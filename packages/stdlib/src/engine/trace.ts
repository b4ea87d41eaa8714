import { z } from 'zod';

import { defineStage, original } from '../kit.ts';
import { AnyResult } from '../shape.ts';
import { EngineStageError } from './errors.ts';

/** `trace_read`: the latest run of a composition, or a run by its id; the beginning of either will do. Throws TRACE_UNKNOWN. */
export const traceRead = original(
  defineStage({
    name: 'trace_read',
    description: 'Gives the trace of a run: the run and its steps.',
    effects: ['Fallible', 'NonDeterministic'],
    capabilities: ['trace.read'],
    input: z.object({ composition_id: z.string() }),
    output: z.object({ trace: AnyResult }),
    examples: [
      {
        input: { composition_id: 'ab12' },
        output: { trace: { run: { run_id: 'run-1', status: 'ok' }, steps: [] } },
      },
      {
        input: { composition_id: 'ab' },
        output: { trace: { run: { run_id: 'run-1', status: 'ok' }, steps: [] } },
      },
      {
        input: { composition_id: 'run-1' },
        output: { trace: { run: { run_id: 'run-1', status: 'ok' }, steps: [] } },
      },
    ],
    tags: ['engine'],
    run: async ({ composition_id }, { trace }) => {
      const found = await trace.read(composition_id);
      if (found !== null) return { trace: AnyResult.parse(found) };
      const hint = './noether runs lists the runs';
      throw new EngineStageError('TRACE_UNKNOWN', { reference: composition_id }, { hint });
    },
  }),
);
