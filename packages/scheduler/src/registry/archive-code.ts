import { canonicalJson, implementationHash, recordOf, type Stage, type StageRecord } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';

import { importArchived, LOAD_LIMIT_MS } from './archive-modules.ts';
import { archiveProblem } from './archive-paths.ts';
import { RegistryClientError } from './client-errors.ts';

/**
 * The stage whose code a record carries, loaded from exactly the text that was checked: the archive's hash is the record's, and
 * what it holds has the record's id and capabilities. Who signed the record is the caller's to check before: code runs as it is
 * loaded, with this process's rights. Throws STAGE_CODE_REFUSED.
 */
export async function stageOfArchive(record: StageRecord, limit_ms = LOAD_LIMIT_MS): Promise<Stage> {
  const { name, archive = {}, signature } = record;
  const problem = archiveProblem(archive);
  if (problem !== null) throw refused(record, problem);
  const hash = implementationHash(archive);
  if (hash !== signature.implementation_hash)
    throw refused(
      record,
      `its archive has the hash ${hash}, and the record says ${signature.implementation_hash}`,
    );
  const others: string[] = [];
  for (const path of candidates(archive, name)) {
    for (const stage of await stagesIn(record, hash, path, limit_ms)) {
      if (stage.name !== name) others.push(stage.name);
      else return same(record, stage);
    }
  }
  const had = others.length === 0 ? 'no stage' : [...new Set(others)].slice(0, 5).join(', ');
  throw refused(record, `no file of its archive exports a stage of that name; there is ${had}`);
}

/** Modules of the archive, first those that say the stage's name. */
function candidates(archive: Readonly<Record<string, string>>, name: string): readonly string[] {
  const modules = Object.entries(archive).filter(([path]) => !path.endsWith('.json'));
  const said = modules.filter(([, text]) => text.includes(name));
  return [...said, ...modules.filter((entry) => !said.includes(entry))].map(([path]) => path);
}

async function stagesIn(
  record: StageRecord,
  hash: string,
  path: string,
  limit_ms: number,
): Promise<readonly Stage[]> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await importArchived(hash, record.archive ?? {}, path, limit_ms);
  } catch (error) {
    throw refused(record, `${path} cannot be loaded: ${messageOf(error)}`, error);
  }
  return Object.values(exported).flatMap((value) => (isStage(value) ? [value] : []));
}

function isStage(value: unknown): value is Stage {
  if (value === null || typeof value !== 'object') return false;
  const { name, run, effects, capabilities, input, output, examples } = value as Partial<
    Record<keyof Stage, unknown>
  >;
  return (
    typeof name === 'string' &&
    typeof run === 'function' &&
    [effects, capabilities, examples].every((list) => Array.isArray(list)) &&
    [input, output].every((schema) => schema !== null && typeof schema === 'object' && '_zod' in schema)
  );
}

/** The stage, when it is what its record says. */
function same(record: StageRecord, stage: Stage): Stage {
  let own: StageRecord;
  try {
    own = recordOf({ stage, archive: record.archive ?? {} });
  } catch (error) {
    throw refused(record, messageOf(error), error);
  }
  const wrong = (['input', 'output', 'effects'] as const).filter(
    (part) => canonicalJson(own.signature[part]) !== canonicalJson(record.signature[part]),
  );
  if (own.id !== record.id)
    throw refused(
      record,
      `the stage in its archive has the id ${own.id.slice(0, 16)}${wrong.length === 0 ? '' : `, with another ${wrong.join(', ')}`}`,
    );
  if (canonicalJson(own.capabilities) !== canonicalJson(record.capabilities))
    throw refused(
      record,
      `the stage in its archive asks for ${own.capabilities.join(', ') || 'no capabilities'}, and the record says ${record.capabilities.join(', ') || 'none'}`,
    );
  return stage;
}

function refused(
  { name, id }: StageRecord,
  reason: string,
  cause?: unknown,
): RegistryClientError<'STAGE_CODE_REFUSED'> {
  return new RegistryClientError('STAGE_CODE_REFUSED', { stage: name, id, reason }, { cause });
}
