import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conf, json, languageOf, reader, yaml } from '../src/editor/bodies';
import { isSubject, magicOf, tokens, words, type Token } from '../src/editor/words';

const said = (line: string, found: Token[]): string => found.map(({ from, to, kind }) => `${kind}:${line.slice(from, to)}`).join(' ');
const of = (line: string): string => {
  const magic = magicOf(line);
  return magic ? said(line, tokens(line, magic.tree, magic.start)) : '';
};

test('lines of ours are known, others are not', () => {
  assert.deepEqual(magicOf('%nats pub a'), { tree: 'nats', cell: false, from: 0, start: 5 });
  assert.deepEqual(magicOf('  x, y[0] = %js stream ls'), { tree: 'js', cell: false, from: 12, start: 15 });
  assert.deepEqual(magicOf('%%natslab reload n1'), { tree: 'natslab', cell: true, from: 0, start: 9 });
  assert.ok(!magicOf('%natsx') && !magicOf('print("%nats pub")') && !magicOf('%%javascript'));
});

test('verb, subject with its wildcards, flags, values', () => {
  assert.equal(
    of("%nats sub 'orders.*.new' --queue workers --count=10 # all"),
    "verb:sub string:' subject:orders dot:. wildcard:* dot:. subject:new string:' flag:--queue flag:--count punctuation:= number:10 comment:# all"
  );
  assert.equal(of('%nats pub orders.eu.new "order {{Count}}" -J'), 'verb:pub subject:orders dot:. subject:eu dot:. subject:new string:"order  template:{{Count}} string:" flag:-J');
  assert.equal(of("%js stream add ORDERS --subjects 'orders.>'"), "verb:stream verb:add flag:--subjects string:' subject:orders dot:. wildcard:> string:'");
  assert.equal(of('%js stream cluster step-down ORDERS'), 'verb:stream verb:cluster verb:step-down');
  assert.equal(of('%natslab view routing'), 'verb:view');
  assert.equal(of('%nats --timeout 2s pub a {=x}'), 'flag:--timeout number:2s verb:pub template:{=x}');
  assert.equal(of("%nats pub a 'it is open"), "verb:pub string:'it is open");
  assert.equal(of('%nats kv put CFG a#b 1'), 'verb:kv verb:put number:1');
});

test('a subject is known by its tokens', () => {
  for (const text of ['orders.>', '>', '*', 'a.*.b', '$JS.API.>', 'a-b.c_d']) {
    assert.ok(isSubject(text), text);
  }
  for (const text of ['orders', '1.5', '2s', 'a..b', '>.a', 'a*.b', './bk', 'http://x.y', 'a b.c', '']) {
    assert.ok(!isSubject(text), text);
  }
});

test('words are those of a shell', () => {
  assert.deepEqual(words(`a "b \\" c" 'd'e f\\ g`).words.map(({ text }) => text), ['a', 'b " c', 'de', 'f g']);
});

test('the body has the language of its line', () => {
  const language = (line: string) => languageOf(line, magicOf(line) ?? assert.fail());
  assert.equal(language('%%js stream add ORDERS'), 'config');
  assert.equal(language('%%js str add --dry-run ORDERS'), 'config');
  assert.equal(language('%%js kv put CFG a'), 'payload');
  assert.equal(language('%%nats pub orders.new'), 'payload');
  assert.equal(language('%%nats reply help'), 'python');
  assert.equal(language('%%nats script'), 'script');
  assert.equal(language('%%nats server config'), 'conf');
  assert.equal(language('%%natslab reload n1'), 'conf');
  assert.equal(language('%%js'), null);
  assert.equal(language('%nats pub a'), null);
});

test('YAML, JSON, nats.conf and scripts', () => {
  const line = "subjects: ['orders.>'] # all";
  assert.equal(said(line, yaml(line)), 'key:subjects punctuation:: punctuation:[ string:\'orders.>\' punctuation:] comment:# all');
  assert.equal(said('  max_age: 1h', yaml('  max_age: 1h')), 'key:max_age punctuation:: number:1h');
  assert.equal(said('- name: "x # y"', yaml('- name: "x # y"')), 'punctuation:- key:name punctuation:: string:"x # y"');
  assert.equal(said('storage: true', yaml('storage: true')), 'key:storage punctuation:: atom:true');
  const object = '{"a": [1, true], "b": "c"}';
  assert.equal(
    said(object, json(object)),
    'punctuation:{ key:"a" punctuation:: punctuation:[ number:1 punctuation:, atom:true punctuation:] punctuation:, key:"b" punctuation:: string:"c" punctuation:}'
  );
  const block = 'jetstream { store_dir: "/data", max_mem = 1G } // kept';
  assert.equal(
    said(block, conf(block)),
    'key:jetstream punctuation:{ key:store_dir punctuation:: string:"/data" punctuation:, key:max_mem punctuation:= number:1G punctuation:} comment:// kept'
  );
  assert.equal(said('port: 4222', conf('port: 4222')), 'key:port punctuation:: number:4222');
  const script = reader('script', '');
  assert.equal(said('js stream ls', script('js stream ls')), 'magic:js verb:stream verb:ls');
  assert.equal(said('pub a.b hi', script('pub a.b hi')), 'verb:pub subject:a dot:. subject:b');
  assert.deepEqual(reader('payload', 'hello')('hello 1 "x"'), []);
  assert.equal(reader('payload', ' {"a": 1}')('{"a": 1}').length, 5);
});
