namespace Payments.Domain.Disputes.Files;

internal static class DisputeFileSql
{
    public const string Start =
        """
        INSERT INTO payments.dispute_files (partner, hash, name, status, lines_done, applied, duplicate, unmatched, rejected, arrivals, started_at)
        VALUES ($1, $2, $3, 'processing', 0, 0, 0, 0, 0, 1, $4)
        ON CONFLICT (partner, hash) DO UPDATE SET arrivals = payments.dispute_files.arrivals + 1
        RETURNING status, lines_done
        """;

    /// <summary>
    /// The run that moves <c>lines_done</c> owns the lines below it. Another run of the same file finds another value and stops.
    /// </summary>
    public const string Advance =
        """
        UPDATE payments.dispute_files
        SET lines_done = $4, applied = applied + $5, duplicate = duplicate + $6, unmatched = unmatched + $7, rejected = rejected + $8
        WHERE partner = $1 AND hash = $2 AND status = 'processing' AND lines_done = $3
        """;

    public const string Reject =
        """
        INSERT INTO payments.dispute_file_rejects (partner, hash, line, reason, detail, content)
        SELECT $1, $2, line, reason, detail, content
        FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[]) AS t (line, reason, detail, content)
        ON CONFLICT DO NOTHING
        """;

    public const string Finish =
        """
        UPDATE payments.dispute_files
        SET status = $3, finished_at = $4
        WHERE partner = $1 AND hash = $2 AND status = 'processing'
        """;

    public const string Get =
        """
        SELECT partner, hash, name, status, lines_done, applied, duplicate, unmatched, rejected, arrivals, started_at, finished_at
        FROM payments.dispute_files
        WHERE partner = $1 AND hash = $2
        """;

    public const string List =
        """
        SELECT partner, hash, name, status, lines_done, applied, duplicate, unmatched, rejected, arrivals, started_at, finished_at
        FROM payments.dispute_files
        WHERE ($1::text IS NULL OR partner = $1)
          AND ($3::text IS NULL OR (started_at, hash, partner) < (SELECT a.started_at, a.hash, a.partner FROM payments.dispute_files a WHERE a.partner = $3 AND a.hash = $4))
        ORDER BY started_at DESC, hash DESC, partner DESC
        LIMIT $2
        """;

    public const string Rejects =
        """
        SELECT line, reason, detail, content
        FROM payments.dispute_file_rejects
        WHERE partner = $1 AND hash = $2 AND line > $3
        ORDER BY line
        LIMIT $4
        """;
}
