import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as lines from '../src/panel/lines';

test('a word is quoted where the shell would change it', () => {
  assert.deepEqual(['n1', 'orders.>', '$KV.a', 'a b', "it's", '', '#x', 'a;b'].map(lines.word), [
    'n1', 'orders.>', '$KV.a', "'a b'", "'it'\\''s'", "''", "'#x'", "'a;b'"
  ]);
});

test('buttons are the lines that somebody would type', () => {
  assert.equal(lines.server.freeze('n2'), 'natslab freeze n2');
  assert.equal(lines.server.start('EAST-n1'), 'natslab restart EAST-n1');
  assert.equal(lines.wire.cut('n1', 'n2'), 'natslab cut n1 n2');
  assert.equal(lines.consumer.next('ORDERS', 'billing'), 'js consumer next ORDERS billing --hold');
  assert.equal(lines.view('stream', ['ORDERS'], 'right'), 'natslab view stream ORDERS --dock right');
  assert.equal(lines.view('routing'), 'natslab view routing');
  assert.equal(lines.magic(lines.stop(3)), '%natslab stop 3');
  assert.equal(lines.kill('sub #2'), "natslab kill 'sub #2'");
});
