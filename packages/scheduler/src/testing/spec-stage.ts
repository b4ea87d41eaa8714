import type { StageRecord } from '@caloron/noether';
import { readStageSpec } from '@caloron/noether/records';

/** An active stage of a spec file, from text to text, with code that nothing here runs; `changes` to what the file says. */
export function specStage(name: string, changes: object = {}): StageRecord {
  const given = {
    name,
    input: 'Text',
    output: 'Text',
    implementation: `def execute(value):\n    return value  # ${name}\n`,
    examples: [{ input: 'a', output: 'a' }],
    ...changes,
  };
  return { ...readStageSpec(given, name).record, lifecycle: 'Active' };
}
