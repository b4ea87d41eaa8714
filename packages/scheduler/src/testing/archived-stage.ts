import { recordOf, type StageRecord } from '@caloron/noether';
import type { EffectList } from '@caloron/noether/stage';
import { stageKit } from '@caloron/noether/stage';
import { z } from 'zod';

/** A stage with code to make. */
export interface ArchivedOptions {
  readonly name: string;
  /** Lines before the stage. */
  readonly imports?: string;
  /** What its run gives, of `value: string`. */
  readonly text?: string;
  readonly effects?: readonly string[];
  readonly capabilities?: readonly string[];
  readonly description?: string;
  /** Further files of the archive. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The source text of a stage from Text to Text, as its author would write it. */
export function stageText({
  name,
  imports = '',
  text = 'value',
  effects = ['Pure'],
  capabilities = [],
  description = 'Gives a text.',
}: ArchivedOptions): string {
  return `import { stageKit } from '@caloron/noether/stage';
import { z } from 'zod';
${imports}
export const stage = stageKit<Record<string, object>>()({
  name: '${name}',
  description: '${description}',
  effects: ${JSON.stringify(effects)},
  capabilities: ${JSON.stringify(capabilities)} as never,
  input: z.string(),
  output: z.string(),
  examples: [{ input: 'a', output: 'a' }],
  run: ((value: string) => ${text}) as never,
});
`;
}

/** The record of such a stage, signed by nobody. */
export function archived(options: ArchivedOptions): StageRecord {
  const { name, effects = ['Pure'], capabilities = [], description = 'Gives a text.', files = {} } = options;
  const stage = stageKit<Record<string, object>>()({
    name,
    description,
    effects: effects as unknown as EffectList,
    capabilities: capabilities as never,
    input: z.string(),
    output: z.string(),
    examples: [{ input: 'a', output: 'a' }],
    run: ((value: string) => value) as never,
  });
  return recordOf({ stage, archive: { 'own/stage.ts': stageText(options), ...files } });
}
