import type { Stage, StageCalls } from '@caloron/noether/stage';
import { describe, expect, it } from 'vitest';

import { catalog } from './index.ts';
import { type World, worlds } from './testing/worlds.ts';

const stages = new Map<string, Stage>(catalog.map(({ stage }) => [stage.name, stage]));
const isPure = (stage: Stage): boolean => stage.effects.some((effect) => effect === 'Pure');
const isCalling = (stage: Stage): boolean => stage.references !== undefined;
const worldly = catalog.filter(({ stage }) => !isPure(stage) && !isCalling(stage));

/** Calls stages of the library by name, as an engine would. */
const calls: StageCalls = {
  async call(reference, input) {
    const stage = stages.get(reference);
    if (stage === undefined) throw new Error(`the library has no stage ${reference}`);
    return stage.output.parse(await stage.run(stage.input.parse(input), {})) as never;
  },
};

function inWorld(value: unknown, { places }: World): unknown {
  let text = JSON.stringify(value);
  for (const [from, to] of Object.entries(places))
    text = text.replaceAll(from, JSON.stringify(to).slice(1, -1));
  return JSON.parse(text);
}

const nowhere: World = { context: {}, places: {}, close: () => undefined };

async function worldOf(stage: Stage): Promise<World> {
  const world = await worlds[stage.name]?.();
  if (isCalling(stage)) {
    const base = world ?? nowhere;
    return { ...base, context: { ...base.context, stages: calls } };
  }
  return world ?? nowhere;
}

describe('the library', () => {
  it('names every stage once', () => {
    const names = catalog.map(({ stage }) => stage.name);

    expect(new Set(names).size).toBe(names.length);
    expect(names.every((name) => /^[a-z][a-z0-9_]*$/.test(name))).toBe(true);
  });

  it('has a world for every stage that reaches outside', () => {
    const missing = worldly.map(({ stage }) => stage.name).filter((name) => worlds[name] === undefined);

    expect(missing).toEqual([]);
  });

  it('shows every stage by three examples or more', () => {
    const few = catalog.filter(({ stage }) => stage.examples.length < 3).map(({ stage }) => stage.name);

    expect(few).toEqual([]);
  });
});

describe('the examples of a stage hold', () => {
  const examples = catalog.flatMap(({ stage }) =>
    stage.examples.map((example, at) => ({ name: `${stage.name}[${String(at)}]`, stage, example })),
  );

  it.each(examples)('$name', async ({ stage, example }) => {
    const world = await worldOf(stage);
    try {
      const input: unknown = stage.input.parse(inWorld(example.input, world));
      const answer = stage.run(input, world.context);
      if (isPure(stage) && !isCalling(stage)) expect(answer).not.toBeInstanceOf(Promise);
      const output: unknown = await answer;

      expect(output).toEqual(inWorld(example.output, world));
      expect(stage.output.parse(output)).toEqual(output);
      expect(JSON.parse(JSON.stringify(output))).toEqual(output);
    } finally {
      await world.close();
    }
  });
});
