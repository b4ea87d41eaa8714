import { describe, expect, it } from 'vitest';

import { catalog } from './index.ts';
import { worlds } from './testing/worlds.ts';

const pure = catalog.filter(({ stage }) => stage.effects.some((effect) => effect === 'Pure'));
const impure = catalog.filter((entry) => !pure.includes(entry));

describe('the catalogue', () => {
  it('names every stage and every file once', () => {
    const names = catalog.map(({ stage }) => stage.name);
    const files = catalog.map(({ file }) => file);

    expect(new Set(names).size).toBe(names.length);
    expect(new Set(files).size).toBe(files.length);
    expect(names.every((name) => /^[a-z][a-z0-9_]*$/.test(name))).toBe(true);
  });

  it('has a world for every impure stage and for no other', () => {
    expect(Object.keys(worlds).toSorted()).toEqual(impure.map(({ stage }) => stage.name).toSorted());
  });
});

/** Stages that cannot have three: one takes nothing, the other has one answer and refuses all else. */
const ONE_ANSWER: readonly string[] = ['clock_now', 'kickoff_refuse'];

describe('a stage', () => {
  it.each(catalog.map(({ stage }) => ({ name: stage.name, stage })))(
    '$name has three examples, each another',
    ({ stage }) => {
      const inputs = new Set(stage.examples.map(({ input }) => JSON.stringify(input)));

      expect(inputs.size).toBeGreaterThanOrEqual(ONE_ANSWER.includes(stage.name) ? 1 : 3);
    },
  );
});

describe('the examples of a stage hold', () => {
  const examples = catalog.flatMap(({ stage }) =>
    stage.examples.map((example, at) => ({ name: `${stage.name}[${String(at)}]`, stage, example })),
  );

  it.each(examples)('$name', async ({ stage, example }) => {
    const input: unknown = stage.input.parse(example.input);

    const output: unknown = await stage.run(input, worlds[stage.name]?.() ?? {});

    expect(output).toEqual(example.output);
    expect(stage.output.parse(output)).toEqual(output);
    expect(JSON.parse(JSON.stringify(output))).toEqual(output);
  });
});
