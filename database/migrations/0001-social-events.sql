-- Members, venues, events and registrations of HeSocial.

CREATE TABLE users (
  id            INTEGER PRIMARY KEY,
  display_name  VARCHAR NOT NULL,
  profession    VARCHAR NOT NULL,
  company       VARCHAR NOT NULL,
  city          VARCHAR NOT NULL,
  bio           VARCHAR NOT NULL,
  membership    VARCHAR NOT NULL CHECK (membership IN ('platinum', 'diamond', 'black card')),
  member_since  DATE NOT NULL,
  email         VARCHAR NOT NULL UNIQUE,
  phone         VARCHAR NOT NULL
);

CREATE TABLE venues (
  id        INTEGER PRIMARY KEY,
  name      VARCHAR NOT NULL,
  address   VARCHAR NOT NULL,
  city      VARCHAR NOT NULL,
  capacity  INTEGER NOT NULL CHECK (capacity > 0)
);

-- `seats_taken` counts the registrations. It is what makes two registrations for the last seat conflict: transactions
-- that only insert would both succeed.
CREATE TABLE events (
  id                      INTEGER PRIMARY KEY,
  title                   VARCHAR NOT NULL,
  description             VARCHAR NOT NULL,
  category                VARCHAR NOT NULL CHECK (category IN ('dining', 'arts', 'sailing', 'wellness', 'business', 'wine')),
  venue_id                INTEGER NOT NULL REFERENCES venues (id),
  host_id                 INTEGER NOT NULL REFERENCES users (id),
  starts_at               TIMESTAMPTZ NOT NULL,
  ends_at                 TIMESTAMPTZ NOT NULL,
  registration_closes_at  TIMESTAMPTZ NOT NULL,
  status                  VARCHAR NOT NULL CHECK (status IN ('draft', 'published', 'cancelled')),
  dress_code              VARCHAR NOT NULL,
  price_twd               INTEGER NOT NULL CHECK (price_twd >= 0),
  capacity                INTEGER NOT NULL CHECK (capacity > 0),
  seats_taken             INTEGER NOT NULL DEFAULT 0,
  CHECK (ends_at > starts_at),
  CHECK (registration_closes_at <= starts_at),
  CHECK (seats_taken >= 0 AND seats_taken <= capacity)
);

CREATE TABLE registrations (
  event_id       INTEGER NOT NULL REFERENCES events (id),
  user_id        INTEGER NOT NULL REFERENCES users (id),
  registered_at  TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (event_id, user_id)
);
