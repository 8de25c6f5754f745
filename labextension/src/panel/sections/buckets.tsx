// Key-value and object buckets: streams that know keys.

import * as React from 'react';
import { Empty, Old } from './empty';
import { Facts, IconButton, Rest, Row, Section } from '../parts';
import { useKit } from '../kit';
import { bucket as lines, magic, view } from '../lines';
import { bytes, count, led, missing } from '../words';
import type { BucketRow, Snapshot } from '../wire';

function Bucket({ row }: { row: BucketRow }) {
  const { trans, acts, command, docks } = useKit();
  const kv = row.kind === 'kv';
  const list = lines.list(row.kind, row);
  return (
    <Row
      testid={`bucket-${row.name}`}
      name={row.name}
      right={kv ? trans.__('%1 kept', count(row.revisions)) : bytes(row.bytes)}
      under={
        <Facts
          of={[
            kv ? trans.__('key-value') : trans.__('objects'),
            kv && bytes(row.bytes),
            kv && row.history > 1 && trans.__('history %1', row.history),
            row.storage === 'memory' && trans.__('in memory'),
            ...led(row, trans)
          ]}
        />
      }
      actions={
        <>
          {kv && docks && (
            <IconButton
              sign="dock"
              label={trans.__('Show the view of bucket %1 beside the notebook', row.name)}
              line={view('kv', [row.name], 'right')}
              onClick={() => command('natslab:dock', { view: 'kv', of: [row.name], side: 'right' })}
            />
          )}
          <IconButton
            sign="insert"
            label={trans.__('Insert a cell that lists %1', row.name)}
            line={list}
            onClick={() => acts.insert(magic(list))}
          />
        </>
      }
    />
  );
}

export function Buckets({ state }: { state: Snapshot }) {
  const { trans } = useKit();
  const { buckets } = state;
  return (
    <Section id="buckets" title={trans.__('Buckets')} total={buckets.total}>
      {buckets.total === 0 ? (
        <Empty
          state={state}
          why={trans.__('No bucket yet: a key-value bucket is a stream that remembers the last values of each key.')}
          line="%js kv add CONFIG --history 5"
          offer={trans.__('Insert a line that makes one')}
        />
      ) : (
        <Old state={state} of={buckets.rows.map(({ leader }) => leader)} />
      )}
      <ul className="nlp-list">
        {buckets.rows.map(row => (
          <Bucket key={`${row.kind} ${row.name}`} row={row} />
        ))}
      </ul>
      <Rest text={missing(buckets, trans)} />
    </Section>
  );
}
