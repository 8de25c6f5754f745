// What JetStream keeps, and who reads it how far.

import * as React from 'react';
import { useState } from 'react';
import { Details } from './details';
import { Empty, Old } from './empty';
import { Facts, Glyph, IconButton, LineButton, Rest, Row, Section } from '../parts';
import { useKit } from '../kit';
import { consumer as ofConsumer, magic, stream as ofStream, view } from '../lines';
import { bytes, count, led, missing } from '../words';
import type { ConsumerRow, Snapshot, StreamRow } from '../wire';

function Consumer({ row, stream }: { row: ConsumerRow; stream: StreamRow }) {
  const { trans, acts } = useKit();
  const [open, setOpen] = useState(false);
  return (
    <Row
      testid={`consumer-${row.name}`}
      name={<Opener open={open} onToggle={() => setOpen(!open)} text={row.name} />}
      right={trans.__('%1 pending', count(row.pending))}
      under={
        <Facts
          of={[
            row.push ? trans.__('push') : trans.__('pull'),
            row.ack_pending > 0 && trans.__('%1 not acked', count(row.ack_pending)),
            row.redelivered > 0 && trans.__('%1 again', count(row.redelivered)),
            row.waiting > 0 && trans._n('%1 waiting pull', '%1 waiting pulls', row.waiting),
            row.paused && trans.__('paused'),
            row.mute && trans.__('%1 is silent', row.leader)
          ]}
        />
      }
      actions={
        <>
          {!row.push && (
            <LineButton
              sign="next"
              label={trans.__('Take the next message for %1 and hold it', row.name)}
              line={ofConsumer.next(stream, row.name)}
            />
          )}
          <IconButton
            sign="insert"
            label={trans.__('Insert a cell that shows %1', row.name)}
            line={ofConsumer.info(stream, row.name)}
            onClick={() => acts.insert(magic(ofConsumer.info(stream, row.name)))}
          />
        </>
      }
    >
      {open && <Details kind="consumer" name={row.name} of={stream.name} />}
    </Row>
  );
}

/** A name that opens what is known of it. */
export function Opener({ open, text, onToggle }: { open: boolean; text: string; onToggle: () => void }) {
  return (
    <button type="button" className="nlp-opener" aria-expanded={open} onClick={onToggle}>
      <Glyph sign="more" />
      {text}
    </button>
  );
}

function Stream({ row }: { row: StreamRow }) {
  const { trans, acts, command, docks } = useKit();
  const [open, setOpen] = useState(false);
  return (
    <Row
      testid={`stream-${row.name}`}
      name={<Opener open={open} onToggle={() => setOpen(!open)} text={row.name} />}
      right={trans._n('%1 message', '%1 messages', row.messages).replace(String(row.messages), count(row.messages))}
      under={
        <>
          <span className="nlp-subjects">
            {row.subjects.join(' ') || row.origin}
            {row.more > 0 && ` +${row.more}`}
          </span>
          <Facts
            of={[
              bytes(row.bytes),
              row.storage === 'memory' && trans.__('in memory'),
              row.retention !== 'limits' && row.retention,
              ...led(row, trans)
            ]}
          />
        </>
      }
      actions={
        <>
          {docks && (
            <IconButton
              sign="dock"
              label={trans.__('Show the stream view of %1 beside the notebook', row.name)}
              line={view('stream', [row.name], 'right')}
              onClick={() => command('natslab:dock', { view: 'stream', of: [row.name], side: 'right' })}
            />
          )}
          <IconButton
            sign="insert"
            label={trans.__('Insert a cell that shows %1', row.name)}
            line={ofStream.info(row)}
            onClick={() => acts.insert(magic(ofStream.info(row)))}
          />
        </>
      }
    >
      {open && <Details kind="stream" name={row.name} />}
      {row.consumers.total > 0 && (
        <ul className="nlp-list nlp-inner">
          {row.consumers.rows.map(each => (
            <Consumer key={each.name} row={each} stream={row} />
          ))}
        </ul>
      )}
      <Rest text={missing(row.consumers, trans)} />
    </Row>
  );
}

export function Streams({ state }: { state: Snapshot }) {
  const { trans } = useKit();
  const { streams } = state;
  return (
    <Section id="streams" title={trans.__('Streams and consumers')} total={streams.total}>
      {streams.total === 0 ? (
        <Empty
          state={state}
          why={trans.__('Nothing is stored yet: a stream keeps what is published to its subjects.')}
          line="%js stream add ORDERS --subjects 'orders.>' --defaults"
          offer={trans.__('Insert a line that makes one')}
        />
      ) : (
        <Old state={state} of={streams.rows.flatMap(({ leader, consumers }) => [leader, ...consumers.rows.map(each => each.leader)])} />
      )}
      <ul className="nlp-list">
        {streams.rows.map(row => (
          <Stream key={row.name} row={row} />
        ))}
      </ul>
      <Rest text={missing(streams, trans)} />
    </Section>
  );
}
