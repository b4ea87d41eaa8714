import { dirname, resolve } from 'node:path';

import { readStageArchive } from '@caloron/capabilities/source';
import { implementationHash, recordOf, type Stage, StageError, type StageRecord } from '@caloron/noether';
import { CodedError, messageOf } from '@caloron/noether/errors';

import { stageOfArchive } from './archive-code.ts';
import { importArchived } from './archive-modules.ts';
import { archiveProblem } from './archive-paths.ts';

/**
 * The unsigned record of the one stage a TypeScript file exports, with the file and its relative imports as archive: what others
 * run is what was looked at here. The file is run, as it is loaded. Throws STAGE_SPEC_INVALID with every issue, SOURCE_MISSING, or
 * STAGE_TYPE_UNSUPPORTED.
 */
export async function stageOfFile(path: string): Promise<StageRecord> {
  const { archive, entry } = archiveOf(resolve(path));
  const problem = archiveProblem(archive);
  if (problem !== null) throw invalid(path, problem);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await importArchived(implementationHash(archive), archive, entry);
  } catch (error) {
    throw invalid(path, `it cannot be loaded: ${messageOf(error)}`, error);
  }
  const [stage, ...others] = new Set(Object.values(exported).filter(isStageLike));
  if (stage === undefined)
    throw invalid(
      path,
      'it exports no stage: expected export const … = defineStage({…}), where defineStage is stageKit()',
    );
  if (others.length > 0) {
    const names = [stage, ...others].map(({ name }) => name).join(', ');
    throw invalid(path, `it exports several stages (${names}): expected one in a file`);
  }
  try {
    const record = recordOf({ stage, archive });
    await stageOfArchive(record);
    return record;
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw invalid(path, `what it exports is no stage of stageKit: ${messageOf(error)}`, error);
  }
}

/** The archive below the nearest folder that all its files share: so its paths, and the id, are the same wherever it lies. */
function archiveOf(file: string): {
  readonly archive: Readonly<Record<string, string>>;
  readonly entry: string;
} {
  const texts = Object.entries(readStageArchive('/', file));
  const folders = texts.map(([path]) => dirname(path).split('/'));
  const [first = []] = folders;
  const differs = first.findIndex((part, depth) => folders.some((other) => other[depth] !== part));
  const shared = first.slice(0, differs === -1 ? first.length : differs).join('/');
  const within = (path: string): string =>
    path.slice(shared === '' || shared === '.' ? 0 : shared.length + 1);
  return {
    archive: Object.fromEntries(texts.map(([path, text]) => [within(path), text])),
    entry: within(file.slice(1)),
  };
}

/** Whether a value is meant as a stage; what it lacks is told when its record is made. */
function isStageLike(value: unknown): value is Stage {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'run' in value &&
    typeof value.run === 'function'
  );
}

function invalid(where: string, issue: string, cause?: unknown): StageError {
  return new StageError(
    'STAGE_SPEC_INVALID',
    { where, issues: [issue] },
    { cause, hint: 'docs/stages.md shows a stage in TypeScript' },
  );
}
