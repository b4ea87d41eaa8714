import type { Stage } from '@caloron/noether/stage';

/** What a stage answers to an input, through its own schemas, as the engine calls it. */
export function answer(stage: Stage, input: unknown, context: object = {}, signal?: AbortSignal): unknown {
  const answered = stage.run(stage.input.parse(input), context, signal);
  if (answered instanceof Promise) return answered.then((value: unknown) => stage.output.parse(value));
  return stage.output.parse(answered);
}
