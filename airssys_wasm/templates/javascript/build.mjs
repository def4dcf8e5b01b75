// Makes {{name}}.wasm of guest.js. Run by `airssys-wasm build`, or `npm run build`.
import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'guest.js',
  witPath: 'wit',
  worldName: 'runtime-host',
  // The host has neither. With 'stdio', 'random' and 'clocks' in the list too the component needs no WASI and is called
  // without a thread of its own; console.log is then silent, and Date.now() does not move.
  disableFeatures: ['http', 'fetch-event'],
});
await writeFile('{{name}}.wasm', component);
