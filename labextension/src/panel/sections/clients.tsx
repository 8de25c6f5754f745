// Who is connected to the learner's account, and the live verbs that go on in the background.

import * as React from 'react';
import { Empty, Old } from './empty';
import { Facts, LineButton, Rest, Row, Section } from '../parts';
import { useKit } from '../kit';
import { kill, stop } from '../lines';
import { bytes, count, missing } from '../words';
import type { Snapshot } from '../wire';

export function Clients({ state }: { state: Snapshot }) {
  const { trans } = useKit();
  const { clients, jobs, servers } = state;
  return (
    <Section id="clients" title={trans.__('Clients')} total={clients.total}>
      {clients.total === 0 ? (
        <Empty
          state={state}
          why={trans.__('Nobody is connected: the first line that publishes or subscribes brings a client.')}
          line="inbox = %nats sub 'orders.>' --as billing"
          offer={trans.__('Insert a line that subscribes')}
        />
      ) : (
        <Old state={state} of={clients.rows.map(({ server }) => server)} />
      )}
      <ul className="nlp-list">
        {clients.rows.map(row => (
          <Row
            key={`${row.server} ${row.cid}`}
            testid={`client-${row.name}`}
            name={row.name}
            right={trans.__('%1 in, %2 out', count(row.in), count(row.out))}
            under={
              <Facts
                of={[
                  row.own ? trans.__('of this lab') : row.lang || trans.__('from outside'),
                  servers.total > 1 && trans.__('on %1', row.server),
                  trans._n('%1 subscription', '%1 subscriptions', row.subscriptions),
                  row.waiting > 0 && trans.__('%1 wait for it', bytes(row.waiting))
                ]}
              />
            }
            actions={row.own && <LineButton sign="kill" label={trans.__('Cut the connection of %1', row.name)} line={kill(row.name)} />}
          />
        ))}
      </ul>
      <Rest text={missing(clients, trans)} />
      {jobs.total > 0 && (
        <>
          <h3>{trans.__('In the background')}</h3>
          <ul className="nlp-list">
            {jobs.rows.map(job => (
              <Row
                key={job.id}
                testid={`job-${job.id}`}
                name={job.what}
                title={job.what}
                right={trans._n('%1 message', '%1 messages', job.count)}
                under={<Facts of={[trans.__('job %1', job.id), job.name && trans.__('as %1', job.name)]} />}
                actions={<LineButton sign="stop" label={trans.__('Stop job %1', job.id)} line={stop(job.id)} />}
              />
            ))}
          </ul>
          <Rest text={missing(jobs, trans)} />
        </>
      )}
    </Section>
  );
}
