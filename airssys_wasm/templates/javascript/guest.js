// {{name}}: greets whoever wrote, and counts. `airssys-wasm build` makes {{name}}.wasm of this file.
import { log } from 'airssys:core/host-services@1.0.0';

const decoder = new TextDecoder();
const encoder = new TextEncoder();
let greeted = 0; // a restart begins at 0 again; what must last belongs into 'airssys:core/storage@1.0.0'

export const componentLifecycle = {
  // Called first, with config.configData and config.envVars.
  initialize(config) {},

  // Return a Uint8Array to answer, undefined to answer nothing. Throw a case of wasm-error to refuse, as below;
  // any other exception is a crash.
  handleMessage(msg) {
    if (msg.payload.length === 0) throw { tag: 'runtime-error', val: 'nobody to greet' };
    greeted += 1;
    log('debug', 'greeting', [['number', String(greeted)]]);
    return encoder.encode(`Hello, ${decoder.decode(msg.payload)}! You are number ${greeted}.`);
  },

  // Called with the outcome of each request.
  handleCallback(msg) {},

  metadata() {
    return {
      name: '{{name}}',
      version: '0.1.0',
      description: 'Greets by name',
      author: '',
      license: '',
      supportedOperations: [],
      stateful: true,
    };
  },

  // Asked between messages, where health checks are on.
  health() {
    return 'healthy';
  },

  // Called last, on an orderly stop.
  shutdown() {},
};
