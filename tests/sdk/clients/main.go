// AWS SDK for Go v2 in a pod: who am I, how many buckets are there. Credentials and endpoints by the environment alone.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err == nil {
		var who *sts.GetCallerIdentityOutput
		if who, err = sts.NewFromConfig(loaded).GetCallerIdentity(ctx, nil); err == nil {
			fmt.Println(*who.Arn)
			client := s3.NewFromConfig(loaded, func(options *s3.Options) { options.UsePathStyle = true })
			var listed *s3.ListBucketsOutput
			if listed, err = client.ListBuckets(ctx, nil); err == nil {
				fmt.Println(len(listed.Buckets))
			}
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
