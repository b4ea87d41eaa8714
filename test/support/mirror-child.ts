import { writeSync } from 'node:fs';

import { systemClock } from '@caloron/capabilities/clock';
import { openMirror } from '@caloron/scheduler/registry/mirror';

// A reader of a registry in a process of its own: a line `read N` each time it has mirrored and read N stages.

const [url = '', noether_dir = ''] = process.argv.slice(2);
for (;;) {
  const mirror = openMirror({ address: { url, api_key: null }, noether_dir, clock: systemClock });
  await mirror.refresh();
  const { records } = await mirror.read();
  writeSync(1, `read ${records.length}\n`);
}
