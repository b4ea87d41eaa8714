import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { type Lifecycle, StageError, type StageRecord } from '@caloron/noether';
import { codeOf, messageOf } from '@caloron/noether/errors';
import {
  distrustOf,
  lifecycleWord,
  nearDuplicates,
  parseStageSpec,
  readStageSpec,
  recordFaults,
  type StageSpec,
} from '@caloron/noether/records';
import { loadCatalog } from '@caloron/scheduler';
import { openStageStore, type StageStore } from '@caloron/store';
import { trustedKeys } from '@caloron/store/stage-store-keys';
import { Command } from 'commander';

import { type Context, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Answer, Io } from '../output.ts';
import { seedStages } from '../stages.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

/** What adding one stage did. */
interface Added {
  readonly id: string;
  readonly name: string;
  readonly signature_id: string;
  readonly lifecycle: string;
  /** Ids of the stages it has taken the place of. */
  readonly supersedes: readonly string[];
  readonly warnings: readonly string[];
  readonly note?: 'already exists';
}

/** Capabilities a spec file may name: the original's six and those of the program's stages. */
function capabilities(): readonly string[] {
  const own = loadCatalog().entries.flatMap(({ stage }) => stage.capabilities);
  return [...new Set(['Network', 'FsRead', 'FsWrite', 'Gpu', 'Llm', 'Process', ...own])];
}

/** Refuses what is not what it says, or comes from nobody trusted here. Throws STAGE_TAMPERED, STAGE_SIGNATURE_INVALID, STAGE_UNTRUSTED. */
async function requireGenuine({ record, form }: StageSpec, where: string, file: string): Promise<void> {
  if (form === 'simple') return;
  const { id, name: stage } = record;
  const faults = recordFaults(record);
  if (faults.length > 0 && faults.every(({ field }) => field === 'ed25519_signature'))
    throw new StageError(
      'STAGE_SIGNATURE_INVALID',
      { stage, id },
      { hint: 'ask its author for the stage as it was signed' },
    );
  if (faults.length > 0)
    throw new StageError('STAGE_TAMPERED', {
      store: where,
      faults: faults.map((fault) => ({ stage, id, ...fault })),
    });
  const why = distrustOf(record, await trustedKeys(dirname(file)));
  if (why?.reason === 'author')
    throw new StageError(
      'STAGE_UNTRUSTED',
      { stage, id, ...why },
      { hint: `./noether stage trust ${why.public_key ?? ''} --name WHO, if you know whose key that is` },
    );
}

/** Adds one stage; what is there already is left alone. */
async function addSpec(store: StageStore, spec: StageSpec, draft: boolean): Promise<Added> {
  const { records } = await store.read();
  const { record, warnings } = spec;
  const { id, name, signature_id } = record;
  const there = (before: StageRecord): Added => {
    const lifecycle = lifecycleWord(before.lifecycle).toLowerCase();
    return { id, name, signature_id, lifecycle, supersedes: [], warnings, note: 'already exists' };
  };
  const before = records.find((other) => other.id === id);
  if (before !== undefined) return there(before);
  const similar = nearDuplicates(records, record);
  const twin = similar.find(({ same_types }) => same_types);
  if (twin !== undefined)
    throw new StageError(
      'STAGE_DUPLICATE',
      { stage: name, other: twin.record.name, id: twin.record.id, score: twin.score },
      { hint: `use ${twin.record.name}, or say in the description what this one does otherwise` },
    );
  const said = similar.map(
    (other) =>
      `it says almost the same as ${other.record.name} ${other.record.id.slice(0, 8)}, of other types`,
  );
  const added = { ...record, lifecycle: draft ? 'Draft' : begun(record) };
  const put = await store.put(added).catch((error: unknown) => {
    // Another process added it meanwhile.
    if (codeOf(error) !== 'STAGE_EXISTS') throw error;
    return null;
  });
  if (put === null) return there(added);
  return {
    id,
    name,
    signature_id,
    lifecycle: lifecycleWord(put.record.lifecycle).toLowerCase(),
    supersedes: put.supersedes,
    warnings: [...warnings, ...said],
  };
}

/** A new stage is Active; one that another store has retired stays so. */
function begun({ lifecycle }: StageRecord): Lifecycle {
  return lifecycle === 'Draft' ? 'Active' : lifecycle;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError('CLI_NOT_FOUND', { what: 'spec file', id: path }, { cause: error });
  }
}

interface AddOptions extends StoreOption {
  readonly draft?: boolean;
}

/** `noether stage add FILE`. */
export function addCommand(io: Io): Command {
  const command = withStore(
    new Command('add')
      .description('add a stage from a spec file: checked, signed, and active unless --draft')
      .argument('<file>', 'its spec file')
      .option('--draft', 'leave it a draft; ./noether stage activate makes it active'),
  );
  return command.action((path: string, options: AddOptions) =>
    runCommand(command, io, async (context) => {
      const file = storeFile(context, options);
      const spec = parseStageSpec(readText(resolve(context.cwd, path)), path, {
        capabilities: capabilities(),
      });
      await requireGenuine(spec, path, file);
      const added = await addSpec(openStageStore({ file }), spec, options.draft === true);
      return { data: added, text: addedText(added) };
    }),
  );
}

function addedText({ id, name, lifecycle, supersedes, warnings, note }: Added): string {
  return [
    `${name} → ${id}`,
    note === undefined ? `  ${lifecycle}` : `  ${note} (${lifecycle})`,
    ...supersedes.map((old) => `  takes the place of ${old}`),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ].join('\n');
}

interface Failed {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

/** Stages of a folder's spec files, or of a stage store of the original's, each with where it is written. */
function specsOf(path: string): readonly { readonly where: string; readonly read: () => StageSpec }[] {
  const options = { capabilities: capabilities() };
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    return readdirSync(path)
      .filter((name) => name.endsWith('.json') && name !== 'package.json' && !name.startsWith('tsconfig'))
      .toSorted()
      .map((name) => ({
        where: join(path, name),
        read: () => parseStageSpec(readText(join(path, name)), join(path, name), options),
      }));
  const value: unknown = JSON.parse(readText(path));
  const stages: unknown =
    typeof value === 'object' && value !== null && 'stages' in value ? value.stages : null;
  if (!Array.isArray(stages))
    throw new CliError('CLI_USAGE', { problem: `${path} is neither a folder nor a stage store` });
  return stages.map((stage: unknown, i) => {
    const where = `${path}: stages[${i}]`;
    return { where, read: () => readStageSpec(stage, where, options) };
  });
}

interface Imported {
  readonly imported: readonly Added[];
  readonly skipped: readonly Added[];
  readonly failed: readonly Failed[];
}

/** Adds all it can; what cannot be added is told with its reason. */
async function importAll(file: string, path: string, draft: boolean): Promise<Imported> {
  const store = openStageStore({ file });
  const [imported, skipped, failed]: [Added[], Added[], Failed[]] = [[], [], []];
  for (const { where, read } of specsOf(path)) {
    try {
      const spec = read();
      await requireGenuine(spec, where, file);
      const added = await addSpec(store, spec, draft);
      (added.note === undefined ? imported : skipped).push(added);
    } catch (error) {
      failed.push({ file: where, code: codeOf(error), message: messageOf(error) });
    }
  }
  return { imported, skipped, failed };
}

/** `noether stage sync [PATH]`. */
export function syncCommand(io: Io): Command {
  const command = withStore(
    new Command('sync')
      .description("write the program's stages to the stage store, and those of a folder's spec files")
      .argument('[path]', 'a folder of spec files, or a stage store of the original to take over')
      .option('--draft', 'leave what comes from files as drafts'),
  );
  return command.action((path: string | undefined, options: AddOptions) =>
    runCommand(command, io, (context) => sync(context, path, options)),
  );
}

async function sync(context: Context, path: string | undefined, options: AddOptions): Promise<Answer> {
  const file = storeFile(context, options);
  const catalog = loadCatalog();
  const seeded = await seedStages(file, catalog);
  const from = path === undefined ? null : resolve(context.cwd, path);
  const files: Imported =
    from === null
      ? { imported: [], skipped: [], failed: [] }
      : await importAll(file, from, options.draft === true);
  const stages = catalog.entries.map(({ record }) => [record.name, record.id] as const);
  const { imported, updated, superseded } = seeded;
  const all = [
    ...stages,
    ...[...files.imported, ...files.skipped].map(({ name, id }) => [name, id] as const),
  ];
  return {
    data: {
      path: file,
      directory: from,
      stages: Object.fromEntries(all),
      program: { imported, updated, superseded },
      ...files,
      counts: {
        imported: imported.length + files.imported.length,
        updated: updated.length,
        skipped: stages.length - imported.length - updated.length + files.skipped.length,
        failed: files.failed.length,
      },
    },
    text: [
      ...all.map(([name, id]) => `${name} → ${id}`),
      ...files.failed.map(({ file: where, code, message }) => `FAILED ${where}: ${message} [${code}]`),
      `wrote ${file}`,
    ].join('\n'),
    exit_code: files.failed.length === 0 ? 0 : 1,
  };
}
