import { conforms } from './testing/conformance.ts';
import { dagPorts } from './testing/ports/dag.ts';
import { retroPorts } from './testing/ports/retro.ts';
import { supervisorPorts } from './testing/ports/supervisor.ts';

for (const port of [...dagPorts, ...retroPorts, ...supervisorPorts]) conforms(port);
