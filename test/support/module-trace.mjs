// Loaded with `node --import`: writes the address of every module the process loads to the file MODULE_TRACE names.
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const loaded = [];
registerHooks({
  load(url, context, next) {
    loaded.push(url);
    return next(url, context);
  },
});
process.on('exit', () => writeFileSync(process.env.MODULE_TRACE, JSON.stringify(loaded)));
