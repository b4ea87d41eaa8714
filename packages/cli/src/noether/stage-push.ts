import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

import { createHttp } from '@caloron/capabilities/host/http';
import { StageError, type StageRecord } from '@caloron/noether';
import { codeOf, isRetryable, messageOf } from '@caloron/noether/errors';
import { lifecycleWord, sealRecord, signRecord } from '@caloron/noether/records';
import { addressOf, addressProblem, sendsInClear } from '@caloron/scheduler/registry/address';
import { type Pushed, pushStages } from '@caloron/scheduler/registry/push';
import { authorKey } from '@caloron/store/stage-store-keys';
import { shellWord } from '@caloron/types';
import { Command } from 'commander';

import { type Context, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { type Answer, counted, type Io } from '../output.ts';
import { knownStages, type KnownStage, oneStage } from '../stages.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

interface PushOptions extends StoreOption {
  readonly all?: boolean;
  readonly registry?: string;
}

/** `noether stage push STAGE… | --all`. */
export function pushCommand(io: Io): Command {
  const command = withStore(
    new Command('push')
      .description('give stages to a registry, signed in the name of the author here')
      .argument('[stages...]', 'names, ids or beginnings of ids')
      .option('--all', 'every active stage of the store')
      .option('--registry <url>', 'address of the registry (default: NOETHER_REGISTRY)'),
  );
  return command.action((references: readonly string[], options: PushOptions) =>
    runCommand(command, io, (context) => push(context, references, options), {
      on_interrupt: 'what was not answered yet may be pushed or not; to push again changes nothing',
    }),
  );
}

async function push(context: Context, references: readonly string[], options: PushOptions): Promise<Answer> {
  const registry = addressOf(
    registryUrl(options.registry ?? context.environment.registry_url),
    null,
    context.environment,
  );
  const file = storeFile(context, options);
  const chosen = choose(await knownStages(file), references, options.all === true, file);
  const records = await signed(chosen, file);
  const results = await pushStages(records, {
    url: registry.url,
    key: registry.api_key,
    http: createHttp({ hosts: null }),
    signal: context.signal,
  });
  const warnings = sendsInClear(registry) ? [IN_CLEAR] : [];
  return answer(registry.url, results, warnings);
}

const IN_CLEAR = 'the key crosses the network unencrypted: name the registry by https://';

/** Throws CLI_USAGE. */
function registryUrl(text: string | null): string {
  const url = text?.trim() ?? '';
  const hint = '--registry URL, or the variable NOETHER_REGISTRY';
  if (url === '') throw new CliError('CLI_USAGE', { problem: 'no registry is named' }, { hint });
  const wrong = addressProblem(url);
  // What is no address may be a key in the wrong place.
  if (wrong !== null)
    throw new CliError('CLI_USAGE', { problem: `the address of the registry: ${wrong}` }, { hint });
  return url;
}

/** Throws CLI_USAGE, CLI_NOT_FOUND, STAGE_UNKNOWN, STAGE_AMBIGUOUS. */
function choose(
  known: readonly KnownStage[],
  references: readonly string[],
  all: boolean,
  file: string,
): readonly KnownStage[] {
  if (all === references.length > 0)
    throw new CliError('CLI_USAGE', {
      problem: all ? '--all goes with no stage' : 'no stage is named, and --all was not said',
    });
  if (!all) return [...new Set(references.map((reference) => oneStage(known, reference)))];
  if (!existsSync(file))
    throw new CliError(
      'CLI_NOT_FOUND',
      { what: 'stage store', id: file },
      { hint: `./noether stage sync --store ${shellWord(file)} writes one` },
    );
  return known.filter(({ stored, record }) => stored && record.lifecycle === 'Active');
}

/**
 * The records, signed where they are not, under the seal of the author here: who pushes vouches for what the signature does not
 * cover. Throws STAGE_UNTRUSTED for what nobody trusted here vouches for.
 */
async function signed(stages: readonly KnownStage[], file: string): Promise<readonly StageRecord[]> {
  for (const { record, distrust } of stages) {
    if (distrust === null) continue;
    const hint = './noether stage verify tells what to do';
    throw new StageError('STAGE_UNTRUSTED', { stage: record.name, id: record.id, ...distrust }, { hint });
  }
  const key = await authorKey(dirname(file));
  return stages.map(({ record }) => sealRecord(signRecord(record, key), key));
}

/** Refused by the registry; not reached, or not well. */
const REFUSED = 2;
const FAILED = 3;

function answer(registry: string, results: readonly Pushed[], warnings: readonly string[]): Answer {
  const failed = results.flatMap((result) => ('error' in result ? [result] : []));
  const worst = failed.some(({ error }) => isRetryable(error)) ? FAILED : REFUSED;
  const pushed = results.flatMap((result) => ('answer' in result ? [result.answer] : []));
  const created = pushed.filter((one) => one.created).length;
  return {
    data: {
      registry,
      pushed,
      failed: failed.map(({ record, error }) => ({
        id: record.id,
        name: record.name,
        code: codeOf(error),
        message: messageOf(error),
      })),
      warnings,
      counts: { created, unchanged: pushed.length - created, failed: failed.length },
    },
    text: [
      ...results.map(line),
      ...warnings.map((warning) => `warning: ${warning}`),
      `${counted(created, 'stage')} pushed, ${pushed.length - created} there already, ${failed.length} failed: ${registry}`,
    ].join('\n'),
    exit_code: failed.length === 0 ? 0 : worst,
  };
}

function line(result: Pushed): string {
  const { id, name, lifecycle } = result.record;
  const stage = `${name} → ${id}`;
  if ('error' in result) {
    const said = messageOf(result.error).replaceAll(/\n\s*-\s*/gu, ' ');
    return `${stage}  FAILED ${said} [${codeOf(result.error)}]`;
  }
  const { created, lifecycle: there, supersedes } = result.answer;
  const here = lifecycleWord(lifecycle).toLowerCase();
  const other = there === here ? '' : `, ${there} there and ${here} here`;
  const instead = supersedes.length === 0 ? '' : `, in place of ${supersedes.join(', ')}`;
  return `${stage}  ${created ? 'pushed' : 'there already'}${other}${instead}`;
}
