import { canonicalJson, type Catalog, type CatalogStage, type Json } from '@caloron/noether';
import { CodedError, messageOf } from '@caloron/noether/errors';

/** How one example went. */
export interface ExampleRun {
  readonly example: number;
  /** Null when it gave what it says. */
  readonly problem: string | null;
}

/** Effects whose stages depend on what is outside: their examples say nothing here. */
const OUTSIDE: readonly string[] = [
  'Network',
  'Llm',
  'NonDeterministic',
  'Process',
  'FsRead',
  'FsWrite',
  'Unknown',
];

/** Why the examples of a stage are not run; null when they are. */
export function whyNotRun({ record, stage, effects, effective_effects }: CatalogStage): string | null {
  const outside = [...effects, ...effective_effects].find(({ effect }) => OUTSIDE.includes(effect));
  // Stages that call others are declared as Process by the original; they are as pure as what they call.
  if (outside !== undefined && !(stage.references !== undefined && outside.effect === 'Process'))
    return `its effects include ${outside.effect}`;
  if (stage.capabilities.length > 0) return `it asks for ${stage.capabilities.join(', ')}`;
  return record.examples.length === 0 ? 'it has no example' : null;
}

/** Runs the examples of a stage that reaches nothing outside and compares canonical JSON. */
export async function runExamples(entry: CatalogStage, catalog: Catalog): Promise<readonly ExampleRun[]> {
  const runs: ExampleRun[] = [];
  for (const [example, { input, output }] of entry.stage.examples.entries()) {
    runs.push({ example, problem: await runExample(entry, catalog, input, output) });
  }
  return runs;
}

async function runExample(
  entry: CatalogStage,
  catalog: Catalog,
  input: unknown,
  output: unknown,
): Promise<string | null> {
  try {
    const got = await call(entry, catalog, input);
    const [wanted, given] = [canonicalJson(output), canonicalJson(got)];
    return wanted === given ? null : `expected ${short(wanted)}, got ${short(given)}`;
  } catch (error) {
    if (error instanceof CodedError) return `${messageOf(error)} [${String(error.code)}]`;
    return messageOf(error);
  }
}

/** Calls a stage as an engine would; stages its input names are found in the catalog and have to be as harmless. */
async function call(entry: CatalogStage, catalog: Catalog, input: unknown): Promise<unknown> {
  const stages = {
    call: async (reference: string, given: Json): Promise<Json> => {
      const named = catalog.resolve(reference);
      const why = whyNotRun(named);
      if (why !== null && named.record.examples.length > 0)
        throw new TypeError(`it calls ${named.record.name}, which is not run: ${why}`);
      return (await call(named, catalog, given)) as Json;
    },
  };
  const context = entry.stage.references === undefined ? {} : { stages };
  const answer: unknown = await entry.stage.run(entry.stage.input.parse(input), context);
  return JSON.parse(canonicalJson(entry.stage.output.parse(answer)));
}

const SHOWN = 200;

function short(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
