// One thing in detail, asked of the kernel when it is opened and whenever the lab changed since.

import * as React from 'react';
import { useEffect, useState } from 'react';
import { useKit } from '../kit';

interface DetailsProps {
  kind: string;
  name: string;
  of?: string;
}

export function Details({ kind, name, of = '' }: DetailsProps) {
  const { trans, links } = useKit();
  const [facts, setFacts] = useState<[string, string][] | null>(null);
  const seq = links.active?.state?.seq;
  useEffect(() => {
    let current = true;
    links.active
      ?.ask('inspect', { kind, name, of })
      .then(answer => current && setFacts(answer.facts))
      .catch(() => current && setFacts([]));
    return () => {
      current = false;
    };
  }, [links, kind, name, of, seq]);
  if (!facts) {
    return null;
  }
  if (!facts.length) {
    return <p className="nlp-rest">{trans.__('It is not there any more.')}</p>;
  }
  return (
    <dl className="nlp-details">
      {facts.map(([key, value], i) => (
        <div key={i}>
          <dt>{key}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
