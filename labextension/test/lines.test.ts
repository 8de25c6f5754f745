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
  const orders = { plain: 'ORDERS', domain: '' };
  assert.equal(lines.stream.info(orders), 'js stream info ORDERS');
  assert.equal(lines.consumer.next(orders, 'billing'), 'js consumer next ORDERS billing --hold');
  const there = { plain: 'ORDERS', domain: 'edge1' };
  assert.equal(lines.stream.info(there), 'js stream info ORDERS --js-domain edge1');
  assert.equal(lines.consumer.next(there, 'billing'), 'js consumer next ORDERS billing --hold --js-domain edge1');
  assert.equal(lines.bucket.list('kv', there), 'js kv ls ORDERS --js-domain edge1');
  assert.equal(lines.view('stream', ['ORDERS'], 'right'), 'natslab view stream ORDERS --dock right');
  assert.equal(lines.view('routing'), 'natslab view routing');
  assert.equal(lines.magic(lines.stop(3)), '%natslab stop 3');
  assert.equal(lines.kill('sub #2'), "natslab kill 'sub #2'");
});
