-- What the domain `parcels` knows.
CREATE SCHEMA parcels;

CREATE TABLE parcels.parcels (
    parcel_id uuid    PRIMARY KEY,
    grams     integer NOT NULL CHECK (grams BETWEEN 0 AND 30000),
    version   bigint  NOT NULL
);
