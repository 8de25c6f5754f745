// The servers of the lab, what they carry, and what can be done to them; the wires between them.

import * as React from 'react';
import { IconButton, Facts, Light, LineButton, Rest, Row, Section } from '../parts';
import { useKit } from '../kit';
import { server as lines, wire } from '../lines';
import { count, missing, state, tone } from '../words';
import type { LinkRow, ServerRow, Snapshot } from '../wire';

function Server({ row }: { row: ServerRow }) {
  const { trans, acts } = useKit();
  const { name } = row;
  const running = row.state === 'up' || row.state === 'lame duck';
  const frozen = row.state === 'frozen';
  return (
    <Row
      testid={`server-${name}`}
      sign={<Light tone={tone(row.state)} title={state(row.state, trans)} />}
      name={name}
      right={running ? undefined : state(row.state, trans)}
      under={
        <>
          <Facts
            of={[
              row.version,
              row.mem !== undefined && `${row.mem} MB`,
              row.connections !== undefined && trans._n('%1 client', '%1 clients', row.connections),
              running && (row.in || row.out ? trans.__('%1/s in, %2/s out', count(row.in), count(row.out)) : trans.__('idle')),
              !!row.slow && trans._n('%1 slow consumer', '%1 slow consumers', row.slow)
            ]}
          />
          {row.meta && (
            <abbr
              className="nlp-chip"
              title={trans.__('It leads the meta group, in which the servers agree which streams and consumers there are, and where. A stream with replicas has a leader of its own.')}
            >
              {trans.__('leads meta')}
            </abbr>
          )}
        </>
      }
      actions={
        <>
          {running && <LineButton sign="freeze" label={trans.__('Freeze %1', name)} line={lines.freeze(name)} />}
          {frozen && <LineButton sign="thaw" label={trans.__('Let %1 go on', name)} line={lines.thaw(name)} />}
          {(running || frozen) && <LineButton sign="kill" label={trans.__('Kill %1', name)} line={lines.kill(name)} />}
          {running && <LineButton sign="restart" label={trans.__('Restart %1', name)} line={lines.restart(name)} />}
          {row.state === 'down' && <LineButton sign="start" label={trans.__('Start %1', name)} line={lines.start(name)} />}
          <IconButton
            sign="log"
            label={trans.__('Insert a cell that shows the log of %1', name)}
            line={lines.log(name)}
            onClick={() => acts.insert(`%${lines.log(name)}`)}
          />
        </>
      }
    />
  );
}

function Wire({ row }: { row: LinkRow }) {
  const { trans } = useKit();
  const { a, b } = row;
  const whole = row.state === 'open' || row.state === 'delayed';
  const words: Record<string, string> = {
    open: row.connected ? trans.__('open') : trans.__('not connected'),
    cut: trans.__('cut'),
    held: trans.__('held'),
    delayed: trans.__('delayed by %1 ms', Math.round(row.delay * 1000))
  };
  const looks = row.state === 'cut' ? 'bad' : row.state === 'open' && row.connected ? 'good' : row.state === 'open' ? 'off' : 'warn';
  return (
    <Row
      testid={`wire-${a}-${b}`}
      sign={<Light tone={looks} title={words[row.state] ?? row.state} />}
      name={`${a} \u2013 ${b}`}
      title={row.type}
      right={row.state === 'open' && row.connected ? undefined : (words[row.state] ?? row.state)}
      actions={
        <>
          {whole && <LineButton sign="cut" label={trans.__('Cut the wire between %1 and %2', a, b)} line={wire.cut(a, b)} />}
          {row.state === 'open' && (
            <LineButton sign="freeze" label={trans.__('Hold what travels between %1 and %2', a, b)} line={wire.hold(a, b)} />
          )}
          {row.state !== 'open' && (
            <LineButton sign="heal" label={trans.__('Heal the wire between %1 and %2', a, b)} line={wire.heal(a, b)} />
          )}
        </>
      }
    />
  );
}

export function Servers({ state: { servers, links } }: { state: Snapshot }) {
  const { trans } = useKit();
  return (
    <Section id="servers" title={trans.__('Servers')} total={servers.total}>
      <ul className="nlp-list">
        {servers.rows.map(row => (
          <Server key={row.name} row={row} />
        ))}
      </ul>
      <Rest text={missing(servers, trans)} />
      {links.total > 0 && (
        <>
          <h3>{trans.__('Wires')}</h3>
          <ul className="nlp-list">
            {links.rows.map(row => (
              <Wire key={`${row.a} ${row.b}`} row={row} />
            ))}
          </ul>
          <Rest text={missing(links, trans)} />
        </>
      )}
    </Section>
  );
}
