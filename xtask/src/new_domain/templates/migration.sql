-- What the domain {{domain}} knows of {{nouns}}.
CREATE SCHEMA {{domain}};

CREATE TABLE {{domain}}.{{nouns}} (
    {{subject}} uuid PRIMARY KEY,
{{if closing}}
    status text NOT NULL CHECK (status IN ('open', 'completed', 'closed')),
{{else}}
    status text NOT NULL CHECK (status IN ('open', 'completed')),
{{end}}
    version bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
