import { dirname, join } from 'node:path';

import type { Folders } from '@caloron/capabilities/host/folders';
import type { RunInfo } from '@caloron/noether';
import type { Home } from '@caloron/store';
import type { CaloronCapabilities, Clock, FileRead, FileWrite } from '@caloron/types';

import type { Environment } from './environment.ts';

/** What clients of this machine are made of. */
export interface HostDeps {
  readonly home: Home;
  readonly environment: Environment;
  readonly clock: Clock;
}

type HostCapability = 'http' | 'fs.read' | 'fs.write' | 'environment' | 'process' | 'timer' | 'stdio';
type Loaders = {
  readonly [N in HostCapability]: () => Promise<(run: RunInfo) => CaloronCapabilities[N]>;
};

/** Where records and outputs of processes that graphs start lie: read by graphs, written by none. */
function processesDir({ dir }: Home): string {
  return join(dir, '.caloron', 'processes');
}

/** The project and the folders beside it; without what Caloron itself keeps there. */
async function foldersOf({ home, environment }: HostDeps): Promise<Folders> {
  const { createFolders } = await import('@caloron/capabilities/host/folders');
  // NOETHER_HOME may be a folder graphs use.
  const keys = ['author-key.hex', 'trusted-keys.json'].map((name) => join(dirname(home.stage_store), name));
  const database = ['', '-wal', '-shm'].map((ending) => `${home.db}${ending}`);
  return createFolders({
    root: home.dir,
    allow: environment.fs_allow,
    read_only: [processesDir(home)],
    kept: [home.project_file],
    deny: [...database, home.stage_store, ...keys, join(dirname(home.stage_store), 'registry')],
    reserved: ['.caloron', '.noether'],
  });
}

/** Loads the clients of this machine: network, files, variables, programs, timers. */
export function hostClients(deps: HostDeps): Loaders {
  const { environment, clock } = deps;
  const { variables, env_allow: allow } = environment;
  const files = async (): Promise<FileRead & FileWrite> => {
    const { createFiles } = await import('@caloron/capabilities/host/fs');
    return createFiles(await foldersOf(deps));
  };
  return {
    http: async () => {
      const { createHttp } = await import('@caloron/capabilities/host/http');
      return ({ hosts }) => ({ http: createHttp({ hosts }) });
    },
    'fs.read': async () => {
      const fs = await files();
      return () => ({
        fs: {
          read: (path) => fs.read(path),
          exists: (path) => fs.exists(path),
          list: (path) => fs.list(path),
        },
      });
    },
    'fs.write': async () => {
      const fs = await files();
      return () => ({ fs: { write: (path, content) => fs.write(path, content) } });
    },
    environment: async () => {
      const { createEnvironment } = await import('@caloron/capabilities/host/environment');
      return () => ({ environment: createEnvironment({ variables, allow }) });
    },
    process: async () => {
      const [{ createProcesses }, { programEnvironment }] = await Promise.all([
        import('@caloron/capabilities/host/process'),
        import('@caloron/capabilities/host/program-environment'),
      ]);
      const env = programEnvironment(variables, allow);
      const folders = await foldersOf(deps);
      const host = createProcesses({ folders, dir: processesDir(deps.home), env, clock });
      return () => ({ process: host });
    },
    timer: async () => {
      const { createTimer } = await import('@caloron/capabilities/host/timer');
      return () => ({ timer: createTimer(clock) });
    },
    stdio: async () => {
      const { createStdio } = await import('@caloron/capabilities/host/stdio');
      // Standard output carries the command's own answer.
      const stdio = createStdio({ input: process.stdin, output: process.stderr });
      return () => ({ stdio });
    },
  };
}
